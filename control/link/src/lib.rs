//! The messages that gateways and the control plane exchange. Plain data: nothing here opens a socket,
//! reads a file or knows who is on the other side.
//!
//! * [`wire`] is the gRPC protocol (`proto/link.proto`), with the one form of an audit record.
//! * [`snapshot`] is what a gateway decides by: workloads, targets, issuers, grants and policies.
//! * [`resources`] reads the same things from YAML texts, with errors that show the line.
//! * [`openapi`] reads what an API does from its own description.
//! * [`record`] names a record and reads what names it.

pub mod openapi;
pub mod record;
pub mod resources;
pub mod snapshot;

/// The generated messages and service of `proto/link.proto`.
pub mod wire {
    #![expect(clippy::allow_attributes, reason = "written by the generator, not by us")]
    tonic::include_proto!("postern.link.v1");

    impl From<from_gateway::Message> for FromGateway {
        fn from(message: from_gateway::Message) -> FromGateway {
            FromGateway {
                message: Some(message),
            }
        }
    }

    impl From<from_control::Message> for FromControl {
        fn from(message: from_control::Message) -> FromControl {
            FromControl {
                message: Some(message),
            }
        }
    }

    /// The version of the protocol that this build speaks; one apart is understood.
    pub const VERSION: u32 = 1;
}
