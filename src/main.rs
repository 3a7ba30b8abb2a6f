//! The command line program; see `stickysim --help`.

fn main() {}
