//! tmp
use std::time::Instant;
use stickysim::{cluster::Sim, observe::columns, scenario::*};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mut s = Sources::new();
    let mut p = Problems::new();
    let l = load(std::path::Path::new(&a[1]), &Overrides { sets: a[2..].to_vec(), variants: vec![] }, &mut s, &mut p);
    eprintln!("{}", p.render(&s, false));
    let Some(l) = l else { return };
    for c in &l.cells {
        let t = Instant::now();
        let o = Sim::new(&c.plan, 1, false).run(|| false).unwrap();
        let el = t.elapsed().as_secs_f64();
        println!("== {} {} events {} {:.2}s {:.2} Mev/s", c.variant, c.point, o.events, el, o.events as f64 / el / 1e6);
        let w = &o.recording.runs.last().unwrap().1;
        println!("   {:.2} M requests/s", w.totals[stickysim::observe::totals::Counter::Issued] as f64 / el / 1e6);
        for col in columns::of(columns::File::Runs) {
            if let Some(v) = (col.get)(w) {
                print!("{}={:.4} ", col.name, v);
            }
        }
        println!();
        for (sc, w) in &o.recording.incidents {
            println!("  incident {sc:?}");
            for col in columns::of(columns::File::Incidents) {
                if let Some(v) = (col.get)(w) {
                    print!("{}={:.4} ", col.name, v);
                }
            }
            println!();
        }
    }
}
