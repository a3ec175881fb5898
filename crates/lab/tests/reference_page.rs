//! The rows of the reference page, one test each, over real connections: to our own server and to
//! servers of other libraries, over `ws://` and `wss://`. `crates/fullduplex/tests/browser` runs the rows in a browser.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

#[path = "reference_page/rows.rs"]
mod rows;

use std::time::Duration;

use fullduplex_lab::target::Target;

/// How long a row may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn run(row: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, row).await.expect("the row hangs");
    });
}

/// The whole suite against one server, which all its tests share.
macro_rules! suite {
    ($name:ident, $target:expr $(, $ignore:meta)?) => {
        mod $name {
            use std::sync::LazyLock;

            use fullduplex_lab::target::{Scheme, Target};

            static TARGET: LazyLock<Target> = LazyLock::new(|| $target);

            suite!(@rows [$($ignore)?] constructor buffered_amount onopen_onmessage_onerror_onclose
                protocol_and_extensions ready_state url close send reconnecting);
        }
    };
    (@rows $ignore:tt $($row:ident)*) => {
        $(suite!(@row $ignore $row);)*
    };
    (@row [$($ignore:meta)?] $row:ident) => {
        #[test]
        $(#[$ignore])?
        fn $row() {
            crate::run(crate::rows::$row(&TARGET));
        }
    };
}

suite!(our_server, Target::ours(Scheme::Plain));
// RFC6455-4.2.2-1, RFC6455-10.6-1
suite!(our_server_tls, Target::ours(Scheme::Tls));

suite!(our_server_http2, Target::ours_over_http2(Scheme::Plain));
suite!(our_server_http2_tls, Target::ours_over_http2(Scheme::Tls));

mod needs_peers {
    /// A module for each library and scheme.
    macro_rules! foreign {
        ($($name:ident: $library:ident, $scheme:ident;)*) => {
            $(suite!(
                $name,
                Target::foreign(fullduplex_lab::peers::ServerLibrary::$library, Scheme::$scheme),
                ignore = "needs peers"
            );)*
        };
    }

    foreign! {
        python_websockets: Websockets, Plain;
        python_websockets_tls: Websockets, Tls;
        python_aiohttp: Aiohttp, Plain;
        python_aiohttp_tls: Aiohttp, Tls;
        npm_ws: Ws, Plain;
        npm_ws_tls: Ws, Tls;
    }
}
