//! What does serde mean, in plain words?
//!
//! serde reports in text only. This room takes its fixed phrases apart; a phrase it does not know
//! is passed on as it is, so a change in serde costs clarity, never correctness.

/// The names in backticks of serde's "expected `a` or `b`", "one of `a`, `b`, `c`".
pub fn quoted_names(expected: &str) -> Vec<String> {
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The known name that `name` was most likely meant to be.
pub fn nearest<'k>(name: &str, known: &'k [String]) -> Option<&'k str> {
    // The distance costs length × length, and nobody mistypes a name of this length.
    if name.len() > 64 {
        return None;
    }
    let wanted = name.to_lowercase().replace('-', "_");
    let distance = |other: &String| strsim::damerau_levenshtein(&wanted, &other.to_lowercase());
    let near = known.iter().map(|other| (distance(other), other)).min_by_key(|&(distance, _)| distance);
    if let Some((distance, other)) = near
        && distance <= (wanted.chars().count() / 3).max(1)
        && distance < other.chars().count()
    {
        return Some(other);
    }
    // `timeout` for `request_timeout`, when only one name can be meant.
    let mut holding = known.iter().filter(|other| wanted.len() >= 4 && other.contains(&wanted));
    match (holding.next(), holding.next()) {
        (Some(other), None) => Some(other),
        _ => None,
    }
}

/// A list of names for a message, such as "`a`, `b` or `c`" with the word "or".
pub fn listed(names: &[String], word: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {word} {last}", rest.join(", ")),
    }
}

/// Takes apart what a type that parses itself says: what is wrong, and how to mend it if it says so.
///
/// Either "what is wrong\nhint: how to mend it", or the mend is the last half sentence of the message.
pub fn mend(message: &str) -> (&str, Option<&str>) {
    const MENDS: [&str; 5] = [": write ", ": round it ", ": keep ", ": a share is ", ": a duration is "];
    if let Some((wrong, hint)) = message.split_once("\nhint: ") {
        return (wrong, Some(hint));
    }
    // From the end: the message quotes what a person wrote, and that may hold anything.
    let place = MENDS.iter().filter_map(|start| message.rfind(start)).max();
    if let Some(place) = place {
        return (&message[..place], Some(&message[place + 2..]));
    }
    (message, message.contains(" cannot be negative: ").then_some("write zero or more"))
}

/// What serde found, as a person would call it.
pub fn found(serde: &str) -> String {
    let renamed = [
        ("integer ", "the whole number "),
        ("floating point ", "the number "),
        ("string ", "the text "),
        ("boolean ", ""),
    ];
    for (from, to) in renamed {
        if let Some(rest) = serde.strip_prefix(from) {
            return format!("{to}{rest}");
        }
    }
    match serde {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        other => other.to_owned(),
    }
}

/// What serde expected, as a person would call it.
pub fn expected(serde: &str) -> String {
    let first = serde.split_whitespace().next().unwrap_or_default();
    match first {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "struct" => "a table",
        _ if serde.contains("nonzero ") => "a whole number from 1",
        _ => match serde {
            "a map" => "a table",
            "a sequence" => "a list",
            "a string" | "string" => "text in quotes",
            "a boolean" => "`true` or `false`",
            other => other,
        },
    }
    .to_owned()
}
