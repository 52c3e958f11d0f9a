//! May X do Y on Z: the same judgement as on the wire, without asking for anything.

use std::net::IpAddr;

use postern_link::snapshot::{System, Workload};
use postern_sql::Catalogue;
use serde::{Deserialize, Serialize};

use crate::authorize::{Asked, Asker, Place, Rules, WhatIf, what_if};

/// A question about a workload that need not be here.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub workload: String,
    pub target: String,
    #[serde(default)]
    pub database: Option<String>,
    #[serde(default)]
    pub role: Option<String>,
    /// Where unqualified names are looked for; `pg_catalog`, then `public`, if absent.
    #[serde(default)]
    pub search_path: Option<Vec<String>>,
    pub asked: Asked,
}

/// The question names something that does not exist.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no workload `{0}`")]
    NoWorkload(String),
    #[error("there is no target `{0}`")]
    NoTarget(String),
    #[error("target `{0}` is an API: ask for a `request`")]
    Api(String),
    #[error("target `{0}` is a database: ask for a statement or an action")]
    Database(String),
    #[error("workload `{workload}` may assume no role of target `{target}`")]
    NoRole { workload: String, target: String },
}

/// The workload and place a question means, gaps filled as a login would fill them.
pub fn place<'a>(rules: &'a Rules, question: &Question) -> Result<(&'a Workload, Place), Error> {
    let workload = rules
        .snapshot
        .workloads
        .iter()
        .find(|workload| workload.name == question.workload);
    let workload = workload.ok_or_else(|| Error::NoWorkload(question.workload.clone()))?;
    let target = rules
        .target(&question.target)
        .ok_or_else(|| Error::NoTarget(question.target.clone()))?;
    let is_request = matches!(question.asked, Asked::Request(_));
    match (&target.system, is_request) {
        (System::Http(_), true) => {
            let place = Place::of_api(&target.name);
            return Ok((workload, place));
        }
        (System::Http(_), false) => return Err(Error::Api(target.name.clone())),
        (System::Postgres(_), true) => return Err(Error::Database(target.name.clone())),
        (System::Postgres(_), false) => {}
    }
    let assumed = workload.assume.iter().find(|assume| assume.target == target.name);
    let role = question
        .role
        .clone()
        .or_else(|| assumed.and_then(|assume| assume.roles.first().cloned()));
    let no_role = || Error::NoRole {
        workload: workload.name.clone(),
        target: target.name.clone(),
    };
    let database = question
        .database
        .clone()
        .or_else(|| target.postgres()?.databases.first().cloned());
    let place = Place {
        target: target.name.clone(),
        database: database.unwrap_or_default(),
        role: role.ok_or_else(no_role)?,
    };
    Ok((workload, place))
}

/// Answers from rules and a catalogue alone.
pub fn answer(rules: &Rules, catalogue: &Catalogue, question: &Question) -> Result<WhatIf, Error> {
    let (workload, place) = place(rules, question)?;
    let path = question
        .search_path
        .clone()
        .unwrap_or_else(|| vec!["pg_catalog".into(), "public".into()]);
    let source = IpAddr::from([127, 0, 0, 1]);
    let asker = Asker {
        workload: &workload.name,
        segments: &workload.segments,
        place: &place,
        source,
        run: None,
    };
    Ok(what_if(rules, &asker, catalogue, &path, &question.asked))
}
