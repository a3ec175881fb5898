// Echo server on Tomcat (Jakarta WebSocket), a peer for testing WebSocket clients.
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.websocket.CloseReason;
import jakarta.websocket.DeploymentException;
import jakarta.websocket.Endpoint;
import jakarta.websocket.EndpointConfig;
import jakarta.websocket.Session;
import jakarta.websocket.server.ServerContainer;
import jakarta.websocket.server.ServerEndpointConfig;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;
import org.apache.tomcat.websocket.server.WsSci;

public class EchoTomcat extends Endpoint {
    private static final List<String> SUBPROTOCOLS = List.of("echo", "chat", "superchat");
    /** The limit in characters and in bytes. Tomcat allocates that much for each connection. */
    private static final int MAX_MESSAGE = 16 << 20;
    private static final Pattern CLOSE =
            Pattern.compile("close(?: ([0-9]{4})(?: (.*))?)?", Pattern.DOTALL);
    private static final Pattern BURST = Pattern.compile("burst ([0-9]+)");

    @Override
    public void onOpen(Session session, EndpointConfig config) {
        session.setMaxTextMessageBufferSize(MAX_MESSAGE);
        session.setMaxBinaryMessageBufferSize(MAX_MESSAGE);
        session.addMessageHandler(String.class, text -> ignoringDisconnects(() -> handleText(session, text)));
        session.addMessageHandler(ByteBuffer.class,
                bytes -> ignoringDisconnects(() -> session.getBasicRemote().sendBinary(bytes)));
    }

    private static void handleText(Session session, String text) throws IOException {
        Matcher close = CLOSE.matcher(text);
        Matcher burst = BURST.matcher(text);
        if (close.matches()) {
            int code = close.group(1) == null ? 1000 : Integer.parseInt(close.group(1));
            session.close(new CloseReason(CloseReason.CloseCodes.getCloseCode(code), close.group(2)));
        } else if (burst.matches()) {
            for (int number = 0; number < Integer.parseInt(burst.group(1)); number++) {
                session.getBasicRemote().sendText(String.valueOf(number));
            }
        } else {
            session.getBasicRemote().sendText(text);
        }
    }

    private static class NotFound extends HttpServlet {
        @Override
        protected void doGet(HttpServletRequest request, HttpServletResponse response)
                throws IOException {
            response.sendError(HttpServletResponse.SC_NOT_FOUND);
        }
    }

    private interface Sending {
        void run() throws IOException;
    }

    private static void ignoringDisconnects(Sending sending) {
        try {
            sending.run();
        } catch (IOException disconnected) {
            // The client has left.
        }
    }

    public static void main(String[] arguments) throws Exception {
        Logger.getLogger("").setLevel(Level.SEVERE);
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(System.getProperty("java.io.tmpdir"));
        Connector connector = new Connector();
        connector.setProperty("address", "127.0.0.1");
        connector.setPort(0);
        if (arguments.length > 0) { // --cert FILE --key FILE
            enableTls(connector, arguments[1], arguments[3]);
        }
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", null);
        context.setIgnoreAnnotations(true); // their classes are not in Debian's package
        Tomcat.addServlet(context, "default", new NotFound()).addMapping("/");
        context.addServletContainerInitializer(new WsSci(), Set.of());
        context.addServletContainerInitializer((classes, servlets) -> {
            ServerContainer container =
                    (ServerContainer) servlets.getAttribute(ServerContainer.class.getName());
            try {
                container.addEndpoint(ServerEndpointConfig.Builder.create(EchoTomcat.class, "/")
                        .subprotocols(SUBPROTOCOLS).build());
            } catch (DeploymentException e) {
                throw new ServletException(e);
            }
        }, Set.of());
        tomcat.start();
        System.out.println("listening " + connector.getLocalPort());
        while (System.in.read() >= 0) {
            // The server ends when its stdin ends.
        }
        Runtime.getRuntime().halt(0);
    }

    private static void enableTls(Connector connector, String cert, String key) {
        connector.setProperty("SSLEnabled", "true");
        connector.setScheme("https");
        connector.setSecure(true);
        SSLHostConfig host = new SSLHostConfig();
        SSLHostConfigCertificate certificate =
                new SSLHostConfigCertificate(host, SSLHostConfigCertificate.Type.UNDEFINED);
        certificate.setCertificateFile(new File(cert).getAbsolutePath());
        certificate.setCertificateKeyFile(new File(key).getAbsolutePath());
        host.addCertificate(certificate);
        connector.addSslHostConfig(host);
    }
}
