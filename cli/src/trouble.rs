//! What a person hears when a command cannot do what was asked: what, because of what, and what to do next.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::output::escape_lines;

/// How the process ends; scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Success,
    Failure,
    Usage,
    /// A policy says no.
    Refused,
    /// Whoever asked did not show a token that is known.
    NotAuthenticated,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::NotAuthenticated => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// A command that failed, in words for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub exit: Exit,
    pub message: String,
    pub causes: Vec<String>,
    pub next: Option<String>,
}

pub type Result<T> = std::result::Result<T, Trouble>;

impl Trouble {
    pub fn new(message: impl Into<String>) -> Trouble {
        Trouble {
            exit: Exit::Failure,
            message: message.into(),
            causes: Vec::new(),
            next: None,
        }
    }

    /// The user asked for something that cannot be.
    pub fn usage(message: impl Into<String>) -> Trouble {
        Trouble {
            exit: Exit::Usage,
            ..Trouble::new(message)
        }
    }

    /// An error and everything that it says caused it.
    pub fn from_error(error: &(dyn Error + 'static)) -> Trouble {
        let mut trouble = Trouble::new(error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            trouble.causes.push(cause.to_string());
            source = cause.source();
        }
        trouble
    }

    pub fn because(mut self, error: &(dyn Error + 'static)) -> Trouble {
        let caused = Trouble::from_error(error);
        self.causes.push(caused.message);
        self.causes.extend(caused.causes);
        self
    }

    pub fn exit(mut self, exit: Exit) -> Trouble {
        self.exit = exit;
        self
    }

    pub fn next(mut self, next: impl Into<String>) -> Trouble {
        self.next = Some(next.into());
        self
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", escape_lines(&self.message))?;
        let mut last = self.message.as_str();
        for cause in &self.causes {
            // Some errors repeat their cause in their own words.
            if !last.contains(cause.as_str()) {
                write!(f, "\n  because {}", escape_lines(cause))?;
            }
            last = cause;
        }
        match &self.next {
            Some(next) => write!(f, "\n  → {}", escape_lines(next)),
            None => Ok(()),
        }
    }
}

impl Error for Trouble {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_what_scripts_were_promised() {
        let all = [
            Exit::Success,
            Exit::Failure,
            Exit::Usage,
            Exit::Refused,
            Exit::NotAuthenticated,
        ];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_trouble_says_what_because_of_what_and_what_next() {
        let error = std::io::Error::other("disk full");
        let trouble = Trouble::new("cannot write `x`").because(&error).next("make room");
        assert_eq!(
            trouble.to_string(),
            "cannot write `x`\n  because disk full\n  → make room"
        );
    }

    #[test]
    fn a_trouble_obeys_nobody_it_quotes() {
        let trouble = Trouble::new("there is no workload `\u{1b}[2Jx`");
        assert_eq!(trouble.to_string(), "there is no workload `\\u{1b}[2Jx`");
    }
}
