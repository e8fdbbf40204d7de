//! Stories of people who use the server: the real binary, over HTTP.

mod bulk;
mod cluster;
mod crash;
mod damage;
mod figures;
mod first_day;
mod hostile;
mod hostile_table;
mod metrics;
mod node;
mod operator;
mod resize;
mod shop;
mod wire;
