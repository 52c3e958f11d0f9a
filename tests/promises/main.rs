//! Every promise of the README, tried against the real binary, a real PostgreSQL and real clients.
//! One file a promise; all share one house, but for those that break theirs.

mod attacks;
mod budgets;
mod config;
mod corpora;
mod drivers;
mod floods;
mod full_disk;
mod grpc;
mod http;
mod http_bodies;
mod http_clients;
mod http_floods;
mod identity;
mod judge;
mod kills;
mod limits;
mod listener;
mod mcp;
mod names;
mod operations;
mod panics;
mod parameters;
mod pieces;
mod plain_http;
mod planes;
mod policy;
mod protocol;
mod record;
mod refusal;
mod resumption;
mod revocation;
mod routines;
mod rows;

mod same;
mod sample;
mod secrets;
mod slow_control;
mod soak;
mod tampering;
mod targets;
mod times;
mod upstream;
mod websocket;
mod words;
