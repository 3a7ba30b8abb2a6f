//! Is a text nested too deeply to be read by recursion?
//!
//! Answered before any parser sees the text. TOML's own guard counts brackets only; a dotted key
//! inside each of them multiplies the depth of the tree, so dots count here as well.

use super::Span;

/// The deepest nesting accepted: brackets and dots of a key together.
pub const DEPTH_MAX: usize = 64;

/// Where `text` first nests deeper than [`DEPTH_MAX`], if it does. Serves TOML and JSON alike.
pub fn too_deep(text: &str) -> Option<Span> {
    let bytes = text.as_bytes();
    // One entry per open bracket, and one for the text outside: its closer and the dots of its key.
    let mut open: Vec<(u8, usize)> = vec![(0, 0)];
    let mut dots_total = 0;
    let mut at = 0;
    while at < bytes.len() {
        let here = at;
        at += 1;
        match bytes[here] {
            b'#' => at = line_end(bytes, at),
            quote @ (b'"' | b'\'') => at = string_end(bytes, here, quote),
            b'[' => open.push((b']', 0)),
            b'{' => open.push((b'}', 0)),
            // A closer that does not fit closes nothing: recovery may still be inside.
            closer @ (b']' | b'}') if open.last().is_some_and(|&(fits, _)| fits == closer) => {
                dots_total -= open.pop().map_or(0, |(_, dots)| dots);
            }
            b'.' => {
                dots_total += 1;
                if let Some((_, dots)) = open.last_mut() {
                    *dots += 1;
                }
            }
            b',' | b'\n' if bytes[here] == b',' || open.len() == 1 => {
                if let Some((_, dots)) = open.last_mut() {
                    dots_total -= *dots;
                    *dots = 0;
                }
            }
            _ => {}
        }
        if open.len() - 1 + dots_total > DEPTH_MAX {
            return Some(here..here + 1);
        }
    }
    None
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|&b| b == b'\n').map_or(bytes.len(), |n| from + n)
}

/// The position behind the string that opens at `start`.
fn string_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let is_long = bytes[start..].starts_with(&[quote; 3]);
    let mut at = start + if is_long { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if !is_long => return at,
            byte if byte == quote && !is_long => return at + 1,
            byte if byte == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_dots_count_together_and_strings_do_not() {
        assert_eq!(too_deep(&"[".repeat(64)), None);
        assert_eq!(too_deep(&"[".repeat(65)), Some(64..65));
        assert_eq!(too_deep(&format!("x = \"{}\" # {}", "[".repeat(99), "{".repeat(99))), None);
        assert_eq!(too_deep(&format!("x = [{}]", "1.5, ".repeat(999))), None);
        assert!(too_deep(&"{a.b=".repeat(40)).is_some());
        assert_eq!(too_deep(&"a.b = 1.5\n".repeat(99)), None);
    }
}
