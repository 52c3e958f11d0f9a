//! What is said when something cannot be answered: RFC 9457, in our own words only.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::{audit, snapshots, store};

/// A refusal or a failure, as an operator hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    /// Each mistake, where what was sent has some.
    errors: Vec<String>,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            status,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// What was sent can be read and is wrong, in these places.
    pub fn wrong(detail: impl Into<String>, errors: Vec<String>) -> Problem {
        Problem {
            errors,
            ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
        }
    }

    /// It cannot be done as things are.
    pub fn conflict(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, detail)
    }

    /// Things are no longer as whoever asked has seen them.
    pub fn changed_since(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::PRECONDITION_FAILED, detail)
    }

    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    pub fn unauthenticated() -> Problem {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "send the operator token as `Authorization: Bearer`",
        )
    }

    pub fn method_not_allowed() -> Problem {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path has another method")
    }

    pub fn unavailable(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    pub fn ours(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut body = json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if !self.errors.is_empty()
            && let Some(members) = body.as_object_mut()
        {
            members.insert("errors".to_owned(), json!(self.errors));
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Problem {
        match &error {
            store::Error::Failed(source) => {
                tracing::error!(error = %source, "a question to the store failed");
                Problem::ours(error.to_string())
            }
            store::Error::NoFile(_) => Problem::ours(error.to_string()),
            store::Error::TooSlow => {
                Problem::unavailable("the question took too long: narrow it by `session`, `since` or `until`")
            }
            store::Error::Busy | store::Error::Stopped | store::Error::Behind => {
                Problem::unavailable(error.to_string())
            }
        }
    }
}

impl From<snapshots::Error> for Problem {
    fn from(error: snapshots::Error) -> Problem {
        use snapshots::Error;
        let said = error.to_string();
        match error {
            Error::Wrong(errors) => Problem::wrong(said, errors),
            Error::Unknown(_) => Problem::not_found(said),
            Error::FromFolder | Error::TooManyRevocations => Problem::conflict(said),
            Error::ChangedSince => Problem::changed_since(said),
            Error::TooLarge { .. } => Problem::wrong(said, Vec::new()),
            Error::NotKept(_) | Error::NotRecorded(_) => {
                tracing::error!(%said, "a change could not be made");
                Problem::unavailable(said)
            }
            Error::Stopping => Problem::unavailable(said),
        }
    }
}

impl From<audit::Error> for Problem {
    fn from(error: audit::Error) -> Problem {
        tracing::error!(%error, "a record could not be read for an answer");
        match &error {
            audit::Error::Damaged(_) => Problem::ours(format!("{error}: run `postern audit verify`")),
            audit::Error::Unreadable(_) | audit::Error::Stopped => Problem::ours(error.to_string()),
        }
    }
}
