//! What texts are expected to do, by the rule that says so.

#[cfg(test)]
mod check;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod queries;
