//! The negotiation of compression in the opening handshake.

use fullduplex_proto::handshake::{Answer, Nonce, Offer, Subprotocols};
use fullduplex_proto::{
    AgreedDeflate, ContextParams, ContextTakeover, DeflateConfig, Role, Url, WindowBits,
};
use http::HeaderMap;

use super::inflater::Inflater;
use crate::rng::Rng;

/// The parameters that each end uses after the handshake, and the extensions header of the response.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    pub(super) ends: [Option<AgreedDeflate>; 2],
    extensions: String,
}

impl Agreement {
    /// Negotiates if the client wants compression. The server may decline.
    pub(super) fn reach([offered, accepted]: [Option<DeflateConfig>; 2]) -> Self {
        let Some(offered) = offered else {
            return Self::default();
        };
        let offer = Offer::new(Nonce([7; 16]), Subprotocols::default()).with_deflate(offered);
        let url = Url::parse("ws://server.example.com/").expect("it is a URL");
        let request = offer.to_request(&url, &HeaderMap::new()).expect("no header is added");
        let read = Offer::from_request(&request).expect("our own request");
        let mut answer = Answer::default();
        if let Some(wanted) = accepted {
            answer = answer.with_deflate(&read, wanted);
        }
        let response = answer.to_response(&read);
        let parsed = Answer::from_response(&offer, &response).expect("our own response");
        let extensions = answer.extensions();
        Self { ends: [parsed.deflate(), answer.deflate()], extensions }
    }

    /// Makes an inflater for the messages of the end with the role `writer`, with the parameters in the
    /// response (RFC 7692 section 7.1).
    pub(super) fn inflater(&self, writer: Role) -> Option<Inflater> {
        let mut words = self.extensions.split(';').map(str::trim);
        if words.next() != Some("permessage-deflate") {
            return None;
        }
        let (takeover, window) = match writer {
            Role::Client => ("client_no_context_takeover", "client_max_window_bits="),
            Role::Server => ("server_no_context_takeover", "server_max_window_bits="),
        };
        let (mut bits, mut keeps_window) = (15, true);
        for word in words {
            keeps_window &= word != takeover;
            if let Some(value) = word.strip_prefix(window) {
                bits = value.parse().expect("a number of bits");
            }
        }
        Some(Inflater::new(bits, keeps_window))
    }
}

/// Chooses the compression that an end wants.
pub(super) fn config(rng: &mut Rng) -> DeflateConfig {
    let mut config = DeflateConfig::default();
    config.client = context(rng);
    config.server = context(rng);
    config.threshold = rng.log_uniform(256) as usize;
    config
}

fn context(rng: &mut Rng) -> ContextParams {
    let bits = if rng.one_in(2) { 15 } else { 8 + rng.below(8) as u8 };
    let window_bits = WindowBits::new(bits).expect("8 to 15");
    let takeover = *rng.pick(&[ContextTakeover::Yes, ContextTakeover::Yes, ContextTakeover::No]);
    ContextParams { window_bits, takeover }
}
