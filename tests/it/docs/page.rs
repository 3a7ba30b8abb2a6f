//! A page of the documentation as text: its fenced blocks, links, headings and generated parts.

use std::fs;
use std::path::{Path, PathBuf};

/// A Markdown file.
pub struct Page {
    /// Its path from the root of the project.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A fenced block.
pub struct Block<'p> {
    /// The page it stands on, with its line: for messages.
    pub place: String,
    /// What follows the fence: the language, and our own words after a comma.
    pub info: &'p str,
    /// Its lines.
    pub body: String,
}

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and everything in docs/.
pub fn pages() -> Vec<Page> {
    let mut paths = vec![PathBuf::from("README.md")];
    let docs = fs::read_dir(root().join("docs")).expect("docs/ is readable");
    let names = docs.map(|entry| entry.expect("docs/ is readable").file_name());
    let mut names: Vec<PathBuf> = names.map(|name| Path::new("docs").join(name)).collect();
    names.sort();
    paths.extend(names.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    let read = |path: PathBuf| Page {
        text: fs::read_to_string(root().join(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        name: path.to_string_lossy().replace('\\', "/"),
    };
    paths.into_iter().map(read).collect()
}

impl Page {
    /// The page with this name; it need not exist.
    fn at(path: &Path) -> Option<Page> {
        let text = fs::read_to_string(path).ok()?;
        Some(Page { name: path.display().to_string(), text })
    }

    /// Its lines with their numbers from 1, each with whether it is inside a fenced block or a fence.
    fn lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        let mut inside = false;
        self.text.lines().zip(1..).map(move |(line, number)| {
            let fence = line.starts_with("```");
            let fenced = inside || fence;
            inside ^= fence;
            (number, line, fenced)
        })
    }

    /// Its fenced blocks.
    pub fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut is_open = false;
        for (number, line, _) in self.lines().filter(|line| line.2) {
            match line.strip_prefix("```") {
                Some(info) if !is_open => {
                    blocks.push(Block { place: format!("{}:{number}", self.name), info, body: String::new() });
                }
                Some(_) => {}
                None => blocks.last_mut().expect("a fence opened it").body += &format!("{line}\n"),
            }
            is_open ^= line.starts_with("```");
        }
        blocks
    }

    /// The targets of its links and pictures, each with its line.
    pub fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for (number, line, _) in self.lines().filter(|&(_, _, fenced)| !fenced) {
            for (at, _) in line.match_indices("](") {
                let target = line[at + 2..].split(')').next().unwrap_or_default();
                links.push((number, target.to_owned()));
            }
        }
        links
    }

    /// The anchors of its headings, as GitHub makes them.
    fn anchors(&self) -> Vec<String> {
        let headings = self.lines().filter(|&(_, line, fenced)| !fenced && line.starts_with('#'));
        headings.map(|(_, line, _)| anchor(line.trim_start_matches('#').trim())).collect()
    }

    /// What is wrong with a link on this page, if anything.
    pub fn dead(&self, target: &str) -> Option<String> {
        if target.starts_with("https://") {
            return None;
        }
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let own = root().join(&self.name);
        let path = if file.is_empty() { own } else { own.parent().unwrap_or(root()).join(file) };
        if !path.exists() {
            return Some(format!("there is no file `{file}`"));
        }
        let known = |page: Page| page.anchors().iter().any(|anchor| anchor == heading);
        let is_dead = !heading.is_empty() && !Page::at(&path).is_some_and(known);
        is_dead.then(|| format!("there is no heading `#{heading}` in {}", path.display()))
    }

    /// The text between `<!-- name -->` and `<!-- /name -->`, as a range; `None` without the two.
    pub fn generated(&self, name: &str) -> Option<std::ops::Range<usize>> {
        let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let start = self.text.find(&open)? + open.len();
        let length = self.text[start..].find(&close)?;
        Some(start..start + length)
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|&c| c.is_alphanumeric() || " -_".contains(c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}
