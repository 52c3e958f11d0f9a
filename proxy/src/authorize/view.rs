//! Who asks, where, under which rules, and what the policies answer them.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use postern_link::snapshot::Target;
use postern_policies::{Context, Question, ReadSet, Resource, Run, Slice};

use super::words::{detail_of, worded};
use super::{Authorizer, Place, Rules};
use crate::audit;
use crate::identity::{self, Identity};
use crate::refusal::Refusal;

/// What the policies say about one workload.
#[derive(Clone, Debug)]
pub struct Slices {
    pub enforced: Arc<Slice>,
    /// Judges beside it, and answers nobody.
    pub rehearsed: Option<Arc<Slice>>,
}

impl Slices {
    /// Which attributes some rule for an action looks at.
    pub(super) fn reads(&self, action: &str) -> ReadSet {
        let rehearsed = self.rehearsed.as_ref().map(|slice| slice.reads(action));
        self.enforced
            .reads(action)
            .union(rehearsed.unwrap_or(ReadSet::NOTHING))
    }

    /// Which attributes some rule for any action looks at.
    pub(super) fn reads_anywhere(&self) -> ReadSet {
        let rehearsed = self.rehearsed.as_ref().map(|slice| slice.reads_anywhere());
        self.enforced
            .reads_anywhere()
            .union(rehearsed.unwrap_or(ReadSet::NOTHING))
    }
}

/// Who asks, where, under which rules. Equal views are one value.
#[derive(Debug)]
pub struct View {
    pub(super) id: u64,
    pub(super) slices: Slices,
    pub(super) facts: ViewFacts,
    pub(super) keep_raw_text: bool,
}

impl View {
    pub fn policy_epoch(&self) -> u64 {
        self.facts.policy_epoch
    }

    /// Whether the workload may be in this database under this role at all; asked when a session opens.
    pub fn may_enter(&self) -> Result<(), Refusal> {
        let facts = &self.facts;
        let database = Resource::Database {
            target: &facts.target,
            database: &facts.database,
        };
        let role = Resource::Role {
            target: &facts.target,
            role: &facts.role,
        };
        let asked = [
            ("use", database, "use the database"),
            ("assume", role, "assume the role"),
        ];
        for (action, resource, words) in asked {
            let answer = self.slices.enforced.decide(&Question {
                action,
                resource,
                context: context(facts),
                whole: false,
            });
            if !answer.permitted {
                let name = if action == "use" {
                    &facts.database
                } else {
                    &facts.role
                };
                let message = format!("workload `{}` may not {words} `{name}`", facts.workload);
                return Err(worded(message, vec![detail_of(&answer)], answer.hint));
            }
        }
        Ok(())
    }
}

impl Authorizer {
    /// The view that judges a session: who it is, where it is, and the rules of now.
    pub fn view_of(&self, identity: &Identity, place: &Place, source: IpAddr, rules: &Rules) -> Rc<View> {
        let workload = identity.workload();
        let facts = ViewFacts {
            policy_epoch: rules.snapshot.number,
            workload: workload.name.clone(),
            segments: workload.segments.clone(),
            target: place.target.clone(),
            database: place.database.clone(),
            role: place.role.clone(),
            source,
            evidence: identity.evidence().kind.name(),
            run: identity.run().map(run_facts),
        };
        let keep_raw_text = rules
            .target(&place.target)
            .and_then(Target::postgres)
            .is_some_and(|target| target.keep_raw_text);
        self.view(
            facts,
            |facts| rules.slices(&facts.workload, &facts.segments),
            keep_raw_text,
        )
    }
}

fn run_facts(run: &identity::Run) -> Run {
    Run {
        provider: run.provider.to_string(),
        repository: run.repository.clone(),
        repository_id: run.repository_id.clone(),
        r#ref: run.reference.clone(),
        sha: run.sha.clone(),
        workflow: run.workflow.clone(),
        environment: run.environment.clone(),
        event: run.event.clone(),
        actor: run.actor.clone(),
        run_id: run.run_id.clone(),
        attempt: run.attempt.clone(),
        job: run.job.clone(),
    }
}

/// Everything beside the request that a decision may hang on, but for the time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ViewFacts {
    pub policy_epoch: u64,
    pub workload: String,
    pub segments: Vec<String>,
    pub target: String,
    pub database: String,
    pub role: String,
    pub source: IpAddr,
    pub evidence: &'static str,
    pub run: Option<Run>,
}

pub(super) fn context(facts: &ViewFacts) -> Context<'_> {
    let mut context = Context::new(&facts.role, facts.source, audit::now_us() / 1_000, facts.evidence);
    context.run = facts.run.as_ref();
    context
}
