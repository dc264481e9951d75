//! The program as people run it: what it makes, what it refuses, and what it leaves behind.

mod bad_input;
mod characters;
mod convert;
mod decode;
mod foresight;
mod generate;
mod hub;
mod loras;
mod prompting;
mod pull;
mod repacks;
mod repertoire;
mod serve;
mod stage;
mod support;
mod wan;
