//! The command line program; see `stickysim --help`.

fn main() -> std::process::ExitCode {
    stickysim::cli::main()
}
