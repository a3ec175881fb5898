use clap::Args;

/// Serve WebSockets.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Listen {
    /// Where to listen: an address and a port; port 0 takes a free one.
    #[arg(value_name = "ADDR")]
    pub(super) address: String,
    /// Send every message back to where it came from.
    #[arg(long, required = true)]
    pub(super) echo: bool,
    /// Speak a subprotocol; repeat it for several. The first that a client offers is agreed on.
    #[arg(long = "protocol", value_name = "NAME")]
    pub(super) protocols: Vec<String>,
    /// Tell on stderr which connections come and go, and why.
    #[arg(long, short)]
    pub(super) verbose: bool,
}

const EXAMPLES: &str = "\
Examples:
  fdx listen 127.0.0.1:9001 --echo
  fdx listen '[::1]:0' --echo --protocol chat --protocol superchat";
