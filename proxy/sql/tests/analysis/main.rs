//! What texts are expected to do, by the rule that says so.

#[cfg(test)]
mod adversarial;
#[cfg(test)]
mod check;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod definitions;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod moving;
#[cfg(test)]
mod parameters;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod routines;
#[cfg(test)]
mod session;
#[cfg(test)]
mod texts;
#[cfg(test)]
mod writes;
