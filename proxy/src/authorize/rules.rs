//! What is decided by: one snapshot, with its policies indexed and its logins compiled. Immutable.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hyper::HeaderMap;
use postern_link::snapshot::{Assume, Grantee, HttpTarget, Policy, Revoked, Snapshot, Target, Workload};
use postern_policies::{Link, PolicySet, Source, entity_id};

use uuid::Uuid;

use super::call::{Method, Performed};
use super::operations::Operations;
use super::view::Slices;
use crate::identity::Known;
use crate::refusal::{Reason, Refusal};

/// Everything a gateway decides by, ready to be asked.
#[derive(Debug)]
pub struct Rules {
    pub snapshot: Snapshot,
    pub known: Arc<Known>,
    compiled: Arc<Compiled>,
    targets_stopped: HashSet<String>,
    /// By the hexadecimal of their ids.
    sessions_stopped: HashSet<String>,
}

/// What takes long to make of a snapshot, and stays the same when something is only revoked.
#[derive(Debug)]
struct Compiled {
    policies: PolicySet,
    /// Judges beside `policies`, and answers nobody.
    rehearsed: Option<PolicySet>,
    /// What APIs do, by their targets' names, where they say it.
    operations: HashMap<String, Operations>,
}

/// Where a client may go: one target, one of its databases, one role, with the names still to be judged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub target: String,
    pub database: String,
    pub role: String,
}

impl Place {
    /// An API has one place: what lies behind it is its own affair.
    pub fn of_api(target: &str) -> Place {
        Place {
            target: target.to_owned(),
            database: String::new(),
            role: String::new(),
        }
    }
}

/// What a client asked for; none of it is identity.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    pub server_name: Option<&'a str>,
    pub target: Option<&'a str>,
    pub database: &'a str,
    pub user: &'a str,
}

impl Rules {
    /// Compiles a snapshot; every mistake is told, and nothing is loaded if there is one.
    pub fn load(snapshot: Snapshot) -> Result<Rules, Vec<String>> {
        let compiled = Compiled::of(&snapshot);
        let known = Known::build(&snapshot);
        match (compiled, known) {
            (Ok(compiled), Ok(known)) => Ok(Rules::new(snapshot, Arc::new(compiled), known)),
            (compiled, known) => {
                let errors = compiled.err().into_iter().chain(known.err());
                Err(errors.flatten().collect())
            }
        }
    }

    /// The rules of a newer snapshot. What is only revoked is not compiled again, so that it holds at once.
    pub fn follow(&self, snapshot: Snapshot) -> Result<Rules, Vec<String>> {
        if !self.snapshot.has_same_resources(&snapshot) {
            return Rules::load(snapshot);
        }
        let known = Known::build(&snapshot)?;
        Ok(Rules::new(snapshot, Arc::clone(&self.compiled), known))
    }

    fn new(snapshot: Snapshot, compiled: Arc<Compiled>, known: Known) -> Rules {
        let (mut targets_stopped, mut sessions_stopped) = (HashSet::new(), HashSet::new());
        for revocation in &snapshot.revoked {
            match &revocation.of {
                Revoked::Target(name) => drop(targets_stopped.insert(name.clone())),
                Revoked::Session(id) => drop(sessions_stopped.insert(id.clone())),
                // Those who log in are the affair of `identity`.
                _ => {}
            }
        }
        Rules {
            snapshot,
            known: Arc::new(known),
            compiled,
            targets_stopped,
            sessions_stopped,
        }
    }

    pub fn target(&self, name: &str) -> Option<&Target> {
        self.snapshot.targets.iter().find(|target| target.name == name)
    }

    /// What the policies say about a workload.
    pub fn slices(&self, workload: &str, segments: &[String]) -> Slices {
        let rehearsed = self.compiled.rehearsed.as_ref();
        Slices {
            enforced: self.compiled.policies.slice(workload, segments),
            rehearsed: rehearsed.map(|policies| policies.slice(workload, segments)),
        }
    }

    pub fn is_stopped(&self, target: &str) -> bool {
        self.targets_stopped.contains(target)
    }

    /// Whether an operator has stopped a session, or the target that it is at.
    pub fn ends(&self, session: Uuid, target: &str) -> bool {
        let is_session = || self.sessions_stopped.contains(&session.simple().to_string());
        self.is_stopped(target) || !self.sessions_stopped.is_empty() && is_session()
    }

    /// The operation that a request to an API is, where the API says what it does, and what it is given.
    pub fn performed(
        &self,
        target: &str,
        method: Method,
        path: &str,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Option<Performed>, Refusal> {
        let Some(operations) = self.compiled.operations.get(target) else {
            return Ok(None);
        };
        let operation = operations.find(method, path)?;
        let given = operation.given(path, query, headers)?;
        Ok(Some(Performed { operation, given }))
    }

    /// The place a workload asks for, its names completed where they say nothing.
    pub fn place(&self, workload: &Workload, wish: Wish<'_>) -> Result<Place, Refusal> {
        let (target, database) = self.target_of(workload, wish)?;
        let databases = match target.postgres() {
            Some(postgres) => &postgres.databases,
            None => return Err(refuse(format!("target `{}` is no database", target.name))),
        };
        let says_nothing = |name: &str| ["", "-", "postern", workload.name.as_str()].contains(&name);
        let database = match database {
            "" => databases.first(),
            named => databases.iter().find(|known| *known == named).or_else(|| {
                let default = databases.first();
                default.filter(|_| says_nothing(named) || named == target.name)
            }),
        };
        let database = database.ok_or_else(|| {
            refuse(format!(
                "target `{}` has no database `{}`",
                target.name, wish.database
            ))
            .hint(format!("it has: {}", databases.join(", ")))
        })?;
        let assume = workload.assume.iter().find(|assume| assume.target == target.name);
        let roles: &[String] = assume.map_or(&[], |assume: &Assume| &assume.roles);
        let role = roles.iter().find(|role| *role == wish.user);
        let role = role
            .or_else(|| roles.first().filter(|_| says_nothing(wish.user)))
            .ok_or_else(|| {
                refuse(format!(
                    "workload `{}` may not log in to `{}` as `{}`",
                    workload.name, target.name, wish.user
                ))
                .hint(match roles {
                    [] => format!(
                        "give the workload a role in `assume` for target `{}`",
                        target.name
                    ),
                    roles => format!(
                        "use PGUSER=postern for the default role, or one of: {}",
                        roles.join(", ")
                    ),
                })
            })?;
        Ok(Place {
            target: target.name.clone(),
            database: database.clone(),
            role: role.clone(),
        })
    }

    /// The API that a request is for, by its host's name or by what its path begins with, and its path there.
    pub fn api<'p>(&self, host: &str, path: &'p str) -> Option<(&Target, &HttpTarget, &'p str)> {
        let mut behind: Option<(&Target, &HttpTarget, &str)> = None;
        let targets = self.snapshot.targets.iter();
        for (target, api) in targets.filter_map(|target| Some((target, target.http()?))) {
            if target
                .server_names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(host))
            {
                return Some((target, api, path));
            }
            let Some(rest) = api.prefix.as_ref().and_then(|prefix| below(path, prefix)) else {
                continue;
            };
            // The longest prefix leaves the least.
            if behind.is_none_or(|(.., least)| rest.len() < least.len()) {
                behind = Some((target, api, rest));
            }
        }
        behind
    }

    /// By server name, then by what `options` or the database says, then by there being only one.
    fn target_of<'a>(
        &'a self,
        workload: &Workload,
        wish: Wish<'a>,
    ) -> Result<(&'a Target, &'a str), Refusal> {
        if let Some(name) = wish.target {
            let target = self
                .target(name)
                .ok_or_else(|| refuse(format!("there is no target `{name}`")))?;
            return Ok((target, wish.database));
        }
        if let Some(server_name) = wish.server_name
            && let Some(target) = self
                .snapshot
                .targets
                .iter()
                .find(|target| target.server_names.iter().any(|name| name == server_name))
        {
            return Ok((target, wish.database));
        }
        if let Some((name, database)) = wish.database.split_once('/')
            && let Some(target) = self.target(name)
        {
            return Ok((target, database));
        }
        if let Some(target) = self.target(wish.database) {
            // A database may be called like its target; then it is meant.
            return Ok((target, wish.database));
        }
        let mut assumed = workload
            .assume
            .iter()
            .filter_map(|assume| self.target(&assume.target));
        match (assumed.next(), assumed.next()) {
            (Some(only), None) => Ok((only, wish.database)),
            _ => Err(refuse("it is not clear which target is meant".to_owned())
                .hint("name it: PGDATABASE=target/database, or PGOPTIONS='-c postern.target=NAME'")),
        }
    }
}

/// Rules about operations that their target does not have, or has no more: a `forbid` that is one is silently off.
fn unknown_operations(policies: &PolicySet, operations: &HashMap<String, Operations>) -> Vec<String> {
    let known = operations.iter().filter_map(|(target, operations)| {
        let names = operations.names(target)?;
        Some((format!("{}/", entity_id(&[target])), names))
    });
    let known: Vec<_> = known.collect();
    let is_unknown = |kind: &'static str, id: &str| {
        let mut targets = known.iter().filter(|(target, _)| id.starts_with(target.as_str()));
        targets.any(|(_, names)| !names.contains(&(kind, id.to_owned())))
    };
    let named = policies.operations();
    let unknown = named.filter(|(_, kind, id)| is_unknown(kind, id));
    unknown
        .map(|(rule, kind, id)| {
            format!("rule {rule} is about {kind}::\"{id}\", which the target does not have")
        })
        .collect()
}

/// What is left of a path behind a prefix, which ends where a segment does.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    match path.strip_prefix(prefix)? {
        "" => Some("/"),
        rest => rest.starts_with('/').then_some(rest),
    }
}

impl Compiled {
    fn of(snapshot: &Snapshot) -> Result<Compiled, Vec<String>> {
        let mut errors = Vec::new();
        let mut policies = |policies: &[Policy]| {
            let loaded = PolicySet::load(snapshot.number, &sources(policies), &links(snapshot));
            loaded
                .map_err(|found| errors.extend(found.iter().map(ToString::to_string)))
                .ok()
        };
        let enforced = policies(&snapshot.policies);
        let rehearsed = snapshot.rehearsed.as_deref().and_then(policies);
        let mut operations = HashMap::new();
        for target in &snapshot.targets {
            let Some(api) = target.http() else { continue };
            match Operations::of(api) {
                Ok(found) => operations.extend(found.map(|found| (target.name.clone(), found))),
                Err(found) => {
                    let told = found
                        .iter()
                        .map(|message| format!("target `{}`: {message}", target.name));
                    errors.extend(told);
                }
            }
        }
        for policies in enforced.iter().chain(&rehearsed) {
            errors.extend(unknown_operations(policies, &operations));
        }
        match enforced {
            Some(policies) if errors.is_empty() => Ok(Compiled {
                policies,
                rehearsed,
                operations,
            }),
            _ => Err(errors),
        }
    }
}

fn sources(policies: &[Policy]) -> Vec<Source> {
    let sources = policies.iter().map(|policy| Source {
        name: policy.name.clone(),
        text: policy.text.clone(),
    });
    sources.collect()
}

fn links(snapshot: &Snapshot) -> Vec<Link> {
    let grants = snapshot.grants.iter().flat_map(|grant| {
        let principal = match &grant.to {
            Grantee::Segment(name) => postern_policies::Grantee::Segment(name.clone()),
            Grantee::Workload(name) => postern_policies::Grantee::Workload(name.clone()),
        };
        grant.library.iter().map(move |library| Link {
            library: library.clone(),
            principal: principal.clone(),
            target: grant.target.clone(),
        })
    });
    grants.collect()
}

fn refuse(message: String) -> Refusal {
    Refusal::new(Reason::Unauthenticated, message)
}

#[cfg(test)]
mod tests {
    use postern_link::snapshot::Revocation;

    use super::*;

    #[test]
    fn what_is_only_revoked_is_not_compiled_again_and_all_else_is() {
        let rules = Rules::load(Snapshot::default()).unwrap();
        let revoked = Snapshot {
            number: 2,
            made_at_ms: 7,
            revoked: vec![Revocation {
                id: "r2".into(),
                of: Revoked::Target("shop".into()),
                reason: "a test".into(),
                by: "a test".into(),
                at_ms: 7,
            }],
            ..Snapshot::default()
        };
        let followed = rules.follow(revoked.clone()).unwrap();
        assert!(Arc::ptr_eq(&rules.compiled, &followed.compiled));
        assert!(followed.is_stopped("shop") && !rules.is_stopped("shop"));
        let policy = Policy {
            name: "a.cedar".into(),
            text: String::new(),
        };
        let (policies, rehearsed) = (vec![policy.clone()], Some(vec![policy]));
        for changed in [
            Snapshot {
                policies,
                ..revoked.clone()
            },
            Snapshot { rehearsed, ..revoked },
        ] {
            let followed = followed.follow(changed).unwrap();
            assert!(!Arc::ptr_eq(&rules.compiled, &followed.compiled));
            assert!(followed.is_stopped("shop"));
        }
    }
}
