//! One file for a review: verdict, limits, curves, nodes, incidents, assumptions, manifest. Needs no network.
//!
//! Made from a folder of results and nothing else; the same folder gives the same bytes. Tables are plain HTML, so they print
//! and read without scripts; curves are drawn by uPlot 1.6.32 (MIT licence, kept in the page), which lies beside this file.

mod curves;
mod sections;

use super::manifest::Manifest;
use super::{Results, figures, sensitivity, warnings};
use crate::experiment::Failure;
use std::path::Path;

/// Everything that the page tells.
struct Told {
    manifest: Manifest,
    outline: crate::experiment::Outline,
    results: Results,
}

/// The page of a folder of results.
pub fn page(out: &Path) -> Result<String, Failure> {
    let manifest = Manifest::read(out)?;
    manifest.verify(out)?;
    let mut results = Results::of(&figures::read(out, &manifest)?, &manifest.baseline);
    results.warnings = warnings::read(out)?;
    results.influences = sensitivity::read(out)?;
    let outline = manifest.outline();
    let data = curves::data(out, &outline)?;
    let told = Told { manifest, outline, results };
    let title = escaped(&told.manifest.name);
    let body = sections::all(&told, &data);
    // A script ends at the first `</`, wherever it stands.
    let json = data.json.replace("</", "<\\/");
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · stickysim</title>\n\
         <style>{}\n{}</style>\n</head>\n<body>\n{body}\
         <script type=\"application/json\" id=\"data\">{json}</script>\n\
         <script>/*! uPlot: The MIT License (MIT), Copyright (c) 2022 Leon Sorokin */\n{}</script>\n<script>{}</script>\n</body>\n</html>\n",
        include_str!("uplot.min.css").trim_end(),
        include_str!("page.css"),
        include_str!("uplot.min.js").trim_end(),
        include_str!("page.js"),
    ))
}

/// Text that HTML takes as it is.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::testing::{run_all, study};
    use std::num::NonZeroUsize;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn the_same_folder_gives_the_same_page_which_asks_nobody_for_anything() {
        let (mut study, out) = (study(2), tempfile::tempdir().unwrap());
        study.keeps.nodes = true;
        study.name = "<tiny> & \"quoted\"".into();
        run_all(&study, out.path(), NonZeroUsize::MIN, &AtomicBool::new(false), &()).unwrap();
        super::super::write(&study.outline(), out.path(), None).unwrap();
        let first = page(out.path()).unwrap();
        assert_eq!(first, page(out.path()).unwrap());
        assert!(first.contains("&lt;tiny&gt; &amp; &quot;quoted&quot;") && !first.contains("<tiny>"));
        for foreign in ["src=\"http", "href=\"http", "url(http", "@import"] {
            assert!(!first.contains(foreign), "{foreign}");
        }
        for words in ["sticky, in memory", "nodes=3", "crash", "first signal", "Assumptions", "plan id"] {
            assert!(first.contains(words), "{words}");
        }
    }
}
