//! The vault through its life: made, sealed, unsealed, asked in every state.

mod capabilities;
mod help;
mod seal;
mod status;
mod wire;
