//! What a refusal says of the rules: which one, and the grant that would allow it.

use postern_policies::{Answer, Reason as Why};

use crate::refusal::{Reason, Refusal};

pub(super) fn worded(message: String, details: Vec<String>, hint: Option<String>) -> Refusal {
    let refusal = Refusal::new(Reason::Forbidden, message).detail(details.join("; "));
    match hint {
        Some(permit) => refusal.hint(format!("a rule that would allow it: {permit}")),
        None => refusal,
    }
}

pub(super) fn detail_of(answer: &Answer) -> String {
    let list = |rules: &[postern_policies::RuleId]| {
        rules
            .iter()
            .map(|rule| format!("`{rule}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match &answer.reason {
        None | Some(Why::NoRule) => "no rule permits it".to_owned(),
        Some(Why::Forbidden(rules)) => format!("forbidden by {}", list(rules)),
        Some(Why::Error(rules)) => format!("a rule could not be judged: {}", list(rules)),
    }
}
