//! stub
use super::End;
use clap::Args;
/// x
#[derive(Args)]
pub struct New {}
impl New { /// x
 pub fn run(self) -> Result<(), End> { Ok(()) } }
