//! SCRAM-SHA-256 with a server that has proved nothing yet (RFC 5802, RFC 7677). The password stays here.

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use crate::config::Limits;

use super::connect::Error;

/// One exchange: our first message, the server's challenge, our answer, the server's proof.
pub struct Exchange(ScramSha256);

impl Exchange {
    pub fn begin(password: &str, binding: ChannelBinding) -> Exchange {
        Exchange(ScramSha256::new(password.as_bytes(), binding))
    }

    /// What is to be said next.
    pub fn message(&self) -> &[u8] {
        self.0.message()
    }

    /// Computes the answer to the challenge, if it does not ask for more work than `scram_iterations_max`.
    pub fn challenged(&mut self, challenge: &[u8], limits: &Limits) -> Result<(), Error> {
        let iterations = iterations(challenge).ok_or(Error::Scram)?;
        if iterations > limits.scram_iterations_max {
            return Err(Error::ScramIterations);
        }
        self.0.update(challenge).map_err(|_| Error::Scram)
    }

    /// Whether the server knows the password too.
    pub fn proved(&mut self, proof: &[u8]) -> Result<(), Error> {
        self.0.finish(proof).map_err(|_| Error::Scram)
    }
}

/// The `i=` of a server's first message.
fn iterations(challenge: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(challenge).ok()?;
    text.split(',')
        .find_map(|field| field.strip_prefix("i="))?
        .parse()
        .ok()
}
