//! Rust as text: what is code and what is not, where words stand and items end.

/// Whether a character can be part of a name.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The line, from 1, of an offset.
pub fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Where `word` stands in the code, not as a part of a longer word.
pub fn positions<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let cut_before = word.starts_with(is_word) && code[..at].ends_with(is_word);
        let cut_after = word.ends_with(is_word) && code[at + word.len()..].starts_with(is_word);
        !cut_before && !cut_after
    })
}

/// Just past the item that starts at `from`: its closing brace, or its semicolon.
pub fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0;
    for (i, c) in code[from..].char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth < 0 || depth == 0 && matches!(c, ';' | '}') {
            return from + i + 1;
        }
    }
    code.len()
}

/// For each line, whether it belongs to an item under `#[cfg(test)]`.
pub fn test_lines(code: &str) -> Vec<bool> {
    let mut lines = vec![false; code.matches('\n').count() + 1];
    for (at, _) in code.match_indices("#[cfg(test)]") {
        lines[line_of(code, at) - 1..line_of(code, item_end(code, at))].fill(true);
    }
    lines
}

/// The text with comments and literals turned into spaces; lines stay where they are.
pub fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut i) = (String::with_capacity(text.len()), 0);
    while i < chars.len() {
        let end = literal_end(&chars, i).min(chars.len());
        code.extend(chars[i..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
        if end == i {
            code.push(chars[i]);
        }
        i = end.max(i + 1);
    }
    code
}

/// Where the comment or literal that starts at `i` ends; `i` when none starts there.
fn literal_end(c: &[char], i: usize) -> usize {
    let at = |k: usize| c.get(k).copied().unwrap_or('\0');
    // Past the first place from `k` on where `text` stands; escapes are stepped over when asked.
    let past = |mut k: usize, text: &[char], escapes: bool| {
        while k < c.len() && !c[k..].starts_with(text) {
            k += if escapes && c[k] == '\\' { 2 } else { 1 };
        }
        k + text.len()
    };
    match (at(i), at(i + 1)) {
        ('/', '/') => past(i, &['\n'], false) - 1,
        ('/', '*') => {
            let (mut k, mut depth) = (i + 2, 1);
            while k < c.len() && depth > 0 {
                match (at(k), at(k + 1)) {
                    ('/', '*') => (k, depth) = (k + 2, depth + 1),
                    ('*', '/') => (k, depth) = (k + 2, depth - 1),
                    _ => k += 1,
                }
            }
            k
        }
        ('"', _) => past(i + 1, &['"'], true),
        ('r', '"' | '#') if i == 0 || !is_word(c[i - 1]) || c[i - 1] == 'b' => {
            let hashes = c[i + 1..].iter().take_while(|&&x| x == '#').count();
            let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            // `r#name` is a name.
            if at(i + 1 + hashes) == '"' { past(i + 2 + hashes, &close, false) } else { i }
        }
        ('\'', '\\') => past(i + 1, &['\''], true),
        ('\'', _) if at(i + 2) == '\'' => i + 3,
        _ => i, // lifetimes among them
    }
}
