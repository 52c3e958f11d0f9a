//! Every command and flag there is.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::output::{AnswerFormat, Format};

/// Identity-aware access for automation: databases behind it know which workload is calling, and do only what
/// its policy says.
#[derive(Debug, Parser)]
#[command(
    name = "postern",
    version,
    max_term_width = 110,
    disable_help_subcommand = true
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everything on one machine: sample database, sample CI issuer, policies, both planes, a sample pipeline.
    Dev(Dev),
    /// Both planes in one process.
    Up(Configured),
    /// The gateway alone.
    Proxy(Configured),
    /// The control plane alone.
    Control(Configured),
    /// Looks at everything that the configuration names and says what is wrong with it.
    Check(Configured),
    /// May a workload do something? Exits with 0 for yes and 3 for no.
    Can(Can),
    /// Why a decision was what it was. Its id stands in the refusal's hint.
    Explain(Explain),
    /// Who is connected, and who was.
    Sessions(Sessions),
    /// Stops a workload, run, issuer, key, certificate, target, session or network, everywhere, until it is lifted.
    #[command(subcommand)]
    Revoke(Revoke),
    /// What is revoked.
    Revocations(Revocations),
    /// Ends a revocation.
    Lift(Lift),
    /// Puts a folder of workloads, targets, issuers, grants and policies in force: all of it, or nothing.
    Apply(Apply),
    /// What `apply` would change, line by line. Exits with 0 if nothing, and 1 if something.
    Diff(Diff),
    /// Writes the resources that are in force, or were, into a folder.
    Export(Export),
    /// Who changed what, when and why.
    Snapshots(Snapshots),
    /// Policies that are rehearsed.
    #[command(subcommand)]
    Policy(Policy),
    /// The audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// What there is in a target's database, as the gateway sees it.
    #[command(subcommand, alias = "catalog")]
    Catalogue(Catalogue),
    /// The configuration file.
    #[command(subcommand)]
    Config(Config),
}

#[derive(Debug, Args)]
pub struct Dev {
    /// Run the sample pipeline, then stop; succeeds only if every step met its expected outcome.
    #[arg(long)]
    pub once: bool,
    /// Where everything is kept. A folder of an earlier run keeps its audit log.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Leave the data folder when it ends.
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Args)]
pub struct Configured {
    #[arg(
        long,
        value_name = "FILE",
        env = "POSTERN_CONFIG",
        default_value = "postern.yaml"
    )]
    pub config: PathBuf,
}

/// The control plane's door for people.
#[derive(Clone, Debug, Args)]
pub struct Operators {
    /// The control plane's operators' address.
    #[arg(
        long,
        value_name = "URL",
        env = "POSTERN_ADDR",
        default_value = "http://127.0.0.1:8443"
    )]
    pub addr: String,
    /// The operator token, or `file:` and the path of the file that holds it.
    #[arg(long, value_name = "TOKEN", env = "POSTERN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The authority of the address's certificate, if it is no public one.
    #[arg(long, value_name = "FILE", env = "POSTERN_CA")]
    pub ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Can {
    /// Who would ask.
    pub workload: String,
    /// One action, such as `select` or `delete`.
    #[arg(required_unless_present_any = ["sql", "request"], conflicts_with_all = ["sql", "request"])]
    pub action: Option<String>,
    /// On what: `table`, `schema.table`, `schema.*`, a role, or nothing for the database.
    #[arg(conflicts_with_all = ["sql", "request"])]
    pub resource: Option<String>,
    #[arg(long)]
    pub target: String,
    /// A whole statement: every effect that it would have is judged.
    #[arg(long, value_name = "STATEMENT")]
    pub sql: Option<String>,
    /// A request to an API: its method and path, such as `POST /v1/invoices`.
    #[arg(long, value_name = "REQUEST", conflicts_with = "sql")]
    pub request: Option<String>,
    /// The columns that would be touched.
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["sql", "request"])]
    pub columns: Vec<String>,
    /// The target's first, if absent.
    #[arg(long)]
    pub database: Option<String>,
    /// The workload's first at this target, if absent.
    #[arg(long)]
    pub role: Option<String>,
    /// Where unqualified names are looked for.
    #[arg(long, value_name = "SCHEMAS", value_delimiter = ',')]
    pub search_path: Vec<String>,
    /// Answer from this folder of workloads and policies, not from a running gateway.
    #[arg(long, value_name = "FOLDER")]
    pub resources: Option<PathBuf>,
    /// What there is in the database, from `postern catalogue dump`; with `--resources`.
    #[arg(long, value_name = "FILE", requires = "resources")]
    pub catalog: Option<PathBuf>,
    /// The gateway's admin address.
    #[arg(
        long,
        value_name = "URL",
        env = "POSTERN_ADMIN",
        default_value = "http://127.0.0.1:8444"
    )]
    pub admin: String,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: AnswerFormat,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// The id of a decision, as a refusal's hint or the audit log shows it.
    pub decision: String,
    #[command(flatten)]
    pub operators: Operators,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: AnswerFormat,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Sessions {
    #[command(subcommand)]
    pub command: Option<SessionsCommand>,
    #[command(flatten)]
    pub list: SessionsList,
}

#[derive(Debug, Args)]
pub struct SessionsList {
    /// Only those that are connected now.
    #[arg(long)]
    pub live: bool,
    #[arg(long)]
    pub workload: Option<String>,
    #[arg(long)]
    pub target: Option<String>,
    #[arg(long)]
    pub gateway: Option<String>,
    /// How many, newest first.
    #[arg(long)]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub operators: Operators,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// One session and what it asked for.
    Show(SessionsShow),
    /// Ends live sessions, and what they are doing at their targets.
    End(SessionsEnd),
}

#[derive(Debug, Args)]
pub struct SessionsShow {
    pub session: String,
    #[command(flatten)]
    pub operators: Operators,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: AnswerFormat,
}

#[derive(Debug, Args)]
pub struct SessionsEnd {
    /// These sessions; without any, all that the flags name.
    pub sessions: Vec<String>,
    #[arg(long, required_unless_present_any = ["sessions", "target"])]
    pub workload: Option<String>,
    #[arg(long)]
    pub target: Option<String>,
    /// Why; it is recorded.
    #[arg(long)]
    pub reason: String,
    #[command(flatten)]
    pub operators: Operators,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: AnswerFormat,
}

/// Why, and where to say so.
#[derive(Debug, Args)]
pub struct Because {
    /// Why; it is recorded.
    #[arg(long)]
    pub reason: String,
    #[command(flatten)]
    pub operators: Operators,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: AnswerFormat,
}

#[derive(Debug, Subcommand)]
pub enum Revoke {
    /// Nothing may log in as it, and its sessions end.
    Workload {
        name: String,
        #[command(flatten)]
        because: Because,
    },
    /// Nothing may log in with what it says: an issuer of tokens, or a trust domain of certificates.
    Issuer {
        name: String,
        #[command(flatten)]
        because: Because,
    },
    /// Nobody may go there.
    Target {
        name: String,
        #[command(flatten)]
        because: Because,
    },
    /// One session, also when its gateway is away.
    Session {
        id: String,
        #[command(flatten)]
        because: Because,
    },
    /// All tokens of one run, by its id at the issuer.
    Run {
        issuer: String,
        run_id: String,
        #[command(flatten)]
        because: Because,
    },
    /// All tokens that one key of an issuer has signed, by the `kid` that they name.
    Key {
        issuer: String,
        key_id: String,
        #[command(flatten)]
        because: Because,
    },
    /// A client certificate, by its serial number in hexadecimal.
    Certificate {
        trust_domain: String,
        serial: String,
        #[command(flatten)]
        because: Because,
    },
    /// Nobody may come from there, such as 198.51.100.0/24.
    Network {
        network: String,
        #[command(flatten)]
        because: Because,
    },
}

#[derive(Debug, Args)]
pub struct Revocations {
    #[command(flatten)]
    pub operators: Operators,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

#[derive(Debug, Args)]
pub struct Lift {
    /// The revocation's id, as `postern revocations` shows it.
    pub revocation: String,
    #[command(flatten)]
    pub because: Because,
}

#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Where the rehearsed policies would have answered otherwise than those in force.
    Differences(PolicyDifferences),
    /// Asks a folder's policies what files of cases expect of them.
    Test(PolicyTest),
}

#[derive(Debug, Args)]
pub struct PolicyTest {
    /// YAML lists of cases: `workload`, `target`, one of `sql`, `request` and `action`, and `permitted`.
    #[arg(required = true)]
    pub cases: Vec<PathBuf>,
    /// The workloads and policies that are asked.
    #[arg(short, long, value_name = "FOLDER")]
    pub folder: PathBuf,
    /// What there is at a target, from `postern catalogue dump`; statements need it.
    #[arg(long, value_name = "TARGET=FILE")]
    pub catalog: Vec<String>,
}

#[derive(Debug, Args)]
pub struct PolicyDifferences {
    #[arg(long)]
    pub workload: Option<String>,
    #[arg(long)]
    pub target: Option<String>,
    /// Such as 2026-11-23T08:30:00Z; if absent, since what is in force was applied.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    #[command(flatten)]
    pub operators: Operators,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

#[derive(Debug, Args)]
pub struct Apply {
    #[arg(short, long, value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Only say what is wrong, if something is.
    #[arg(long)]
    pub dry_run: bool,
    /// Why; it is recorded.
    #[arg(long, required_unless_present = "dry_run")]
    pub reason: Option<String>,
    #[command(flatten)]
    pub operators: Operators,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: AnswerFormat,
}

#[derive(Debug, Args)]
pub struct Diff {
    #[arg(short, long, value_name = "FOLDER")]
    pub folder: PathBuf,
    #[command(flatten)]
    pub present: InForce,
}

#[derive(Debug, Args)]
pub struct Export {
    /// An empty folder, or one that is made.
    pub folder: PathBuf,
    #[command(flatten)]
    pub present: InForce,
}

/// The resources that are in force.
#[derive(Debug, Args)]
pub struct InForce {
    /// An older snapshot instead of the one in force.
    #[arg(long, value_name = "NUMBER")]
    pub snapshot: Option<u64>,
    #[command(flatten)]
    pub operators: Operators,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Snapshots {
    #[command(subcommand)]
    pub command: Option<SnapshotsCommand>,
    #[command(flatten)]
    pub list: SnapshotsList,
}

#[derive(Debug, Args)]
pub struct SnapshotsList {
    /// How many, newest first.
    #[arg(long)]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub operators: Operators,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

#[derive(Debug, Subcommand)]
pub enum SnapshotsCommand {
    /// Puts the resources of an older snapshot in force again. What is revoked stays revoked.
    Restore {
        number: u64,
        #[command(flatten)]
        because: Because,
    },
}

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// The newest records, then each new one as it comes.
    Tail(AuditTail),
    /// Records that match.
    Query(AuditQuery),
    /// Proves that the log is whole: a running control plane's, or a folder's.
    Verify(AuditVerify),
    /// Writes the proof that one record is in the log, for who has the log's key and nothing else.
    Prove(AuditProve),
    /// Every record as a line of JSON, oldest first.
    Export(AuditExport),
}

#[derive(Debug, Args)]
pub struct AuditTail {
    #[command(flatten)]
    pub filter: AuditFilter,
    /// How many to begin with.
    #[arg(long, default_value_t = 20)]
    pub limit: u64,
    /// Stop after those that are there.
    #[arg(long)]
    pub no_follow: bool,
    #[command(flatten)]
    pub operators: Operators,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

#[derive(Debug, Args)]
pub struct AuditQuery {
    #[command(flatten)]
    pub filter: AuditFilter,
    /// How many, oldest first.
    #[arg(long)]
    pub limit: Option<u64>,
    /// The newest first.
    #[arg(long)]
    pub newest: bool,
    /// Only what comes after this cursor of an earlier answer.
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
    #[command(flatten)]
    pub operators: Operators,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

#[derive(Clone, Debug, Args)]
pub struct AuditFilter {
    #[arg(long)]
    pub workload: Option<String>,
    #[arg(long)]
    pub target: Option<String>,
    #[arg(long)]
    pub session: Option<String>,
    #[arg(long)]
    pub gateway: Option<String>,
    /// One or more kinds, such as `intent,refused`.
    #[arg(long)]
    pub kind: Option<String>,
    /// Only what was refused.
    #[arg(long)]
    pub refused: bool,
    /// Such as 2026-11-23T08:30:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only records whose statement contains this.
    #[arg(long)]
    pub text: Option<String>,
}

#[derive(Debug, Args)]
pub struct AuditVerify {
    /// The `audit` folder of a control plane's data, or a copy of it; needs `--key`.
    #[arg(requires = "key")]
    pub folder: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere, such as a gateway's: shows whether the log was cut off or written again.
    #[arg(long = "checkpoint", value_name = "FILE", requires = "folder")]
    pub checkpoints: Vec<PathBuf>,
    /// Only what a file of `postern audit prove` says; needs `--key`.
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "folder")]
    pub proof: Option<PathBuf>,
    /// The log's public key, `name+hash+key`, from a place that the log's keeper cannot change.
    #[arg(long, value_name = "KEY", env = "POSTERN_LOG_KEY")]
    pub key: Option<String>,
    #[command(flatten)]
    pub operators: Operators,
    #[arg(short, long, value_enum, default_value_t)]
    pub output: AnswerFormat,
}

#[derive(Debug, Args)]
pub struct AuditProve {
    /// The record's id.
    pub record: String,
    #[command(flatten)]
    pub operators: Operators,
}

#[derive(Debug, Args)]
pub struct AuditExport {
    /// Goes on in this file, behind what is there; else prints.
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    /// Stays, and writes each new record as it comes.
    #[arg(long)]
    pub follow: bool,
    /// Only what comes after this cursor.
    #[arg(long, value_name = "CURSOR", conflicts_with = "to")]
    pub after: Option<String>,
    #[command(flatten)]
    pub operators: Operators,
}

#[derive(Debug, Subcommand)]
pub enum Catalogue {
    /// Reads the catalogue with the gateway's own login and prints what `postern can --catalog` takes.
    Dump(CatalogueDump),
}

#[derive(Debug, Args)]
pub struct CatalogueDump {
    #[arg(long)]
    pub target: String,
    /// The target's first, if absent.
    #[arg(long)]
    pub database: Option<String>,
    #[command(flatten)]
    pub configured: Configured,
    /// The folder of workloads and targets; the control plane's own, if absent.
    #[arg(long, value_name = "FOLDER")]
    pub resources: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// The JSON Schema of `postern.yaml`, for editors.
    Schema,
    /// The configuration as it is in force, with every default.
    Show(ConfigShow),
}

#[derive(Debug, Args)]
pub struct ConfigShow {
    #[command(flatten)]
    pub configured: Configured,
    /// Say where each value came from.
    #[arg(long)]
    pub origin: bool,
    /// YAML if absent; a table with `--origin`.
    #[arg(short, long, value_enum)]
    pub output: Option<AnswerFormat>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<Command, ErrorKind> {
        let words = std::iter::once("postern").chain(line.split_whitespace());
        Arguments::try_parse_from(words)
            .map(|arguments| arguments.command)
            .map_err(|error| error.kind())
    }

    #[test]
    fn the_commands_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_question_is_an_action_or_a_statement_and_not_both() {
        assert!(
            matches!(parse("can a select public.t --target o --columns x,y"), Ok(Command::Can(can)) if can.columns.len() == 2)
        );
        assert!(matches!(
            parse("can a --target o --sql select"),
            Ok(Command::Can(_))
        ));
        assert_eq!(
            parse("can a --target o").err(),
            Some(ErrorKind::MissingRequiredArgument)
        );
        assert_eq!(
            parse("can a select t --target o --sql x").err(),
            Some(ErrorKind::ArgumentConflict)
        );
        assert_eq!(
            parse("can a select t").err(),
            Some(ErrorKind::MissingRequiredArgument)
        );
        assert_eq!(
            parse("can a --target o --sql x --catalog f").err(),
            Some(ErrorKind::MissingRequiredArgument)
        );
    }

    #[test]
    fn ending_sessions_names_which_and_why() {
        assert!(parse("sessions end --workload a --reason leak").is_ok());
        assert!(parse("sessions end 0190 0191 --reason leak").is_ok());
        assert_eq!(
            parse("sessions end --reason leak").err(),
            Some(ErrorKind::MissingRequiredArgument)
        );
        assert_eq!(
            parse("sessions end 0190").err(),
            Some(ErrorKind::MissingRequiredArgument)
        );
    }

    #[test]
    fn a_folder_is_verified_only_by_a_key() {
        assert!(parse("audit verify /a --key k").is_ok());
        assert!(parse("audit verify").is_ok());
        assert_eq!(
            parse("audit verify /a").err(),
            Some(ErrorKind::MissingRequiredArgument)
        );
    }

    #[test]
    fn lists_take_every_format() {
        for format in ["table", "json", "yaml", "name"] {
            assert!(parse(&format!("sessions --live -o {format}")).is_ok(), "{format}");
        }
        assert_eq!(parse("sessions -o csv").err(), Some(ErrorKind::InvalidValue));
    }
}
