mod connect;
mod tls;
