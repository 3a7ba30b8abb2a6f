//! The spelling of quantities: what is read, what is printed, what is refused and how.

use super::*;
use proptest::prelude::*;

fn nanos(text: &str) -> u64 {
    text.parse::<Duration>().unwrap_or_else(|e| panic!("{e}")).as_nanos()
}

#[test]
fn durations_are_exact() {
    for (text, expected) in [
        ("30s", 30_000_000_000),
        ("500ms", 500_000_000),
        ("1.5h", 5_400_000_000_000),
        ("1m30s", 90_000_000_000),
        ("2us", 2_000),
        ("2µs", 2_000),
        ("2μs", 2_000),
        ("10ns", 10),
        ("0.1s", 100_000_000),
        ("0.000000001s", 1),
        ("1d", 86_400_000_000_000),
        ("0s", 0),
        ("213503d23h34m33.709551615s", u64::MAX),
    ] {
        assert_eq!(nanos(text), expected, "{text}");
    }
}

#[test]
fn quantities_print_as_people_write_them() {
    for text in ["0s", "1m30s", "1.5ms", "8m", "2h", "1d", "30s", "10ns", "2us", "1m0.5s", "1d12h", "59.999999999s"] {
        assert_eq!(Duration::from_nanos(nanos(text)).to_string(), text);
    }
    for text in ["0B", "512B", "8KiB", "1MB", "3GiB", "1kB", "1536B"] {
        assert_eq!(text.parse::<Bytes>().map(|b| b.to_string()), Ok(text.into()));
    }
    for text in ["0/s", "120/s", "3/m", "5/d", "30/m", "2.5/s"] {
        assert_eq!(text.parse::<Rate>().map(|r| r.to_string()), Ok(text.into()));
    }
    for text in ["0%", "15%", "100%", "2.5%", "29%", "0.123456789"] {
        assert_eq!(text.parse::<Share>().map(|s| s.to_string()), Ok(text.into()));
    }
    assert_eq!(Share::new(0.15).to_string(), "15%");
    assert_eq!("0.15".parse(), Ok(Share::new(0.15)));
    assert_eq!("1.5MB".parse(), Ok(Bytes::new(1_500_000)));
    assert_eq!("1.5".parse::<Number>().map(|n| n.to_string()), Ok("1.5".into()));
}

#[test]
fn a_bad_quantity_is_told_how_to_mend_it() {
    let message = |kind: &str, text: &str| -> String {
        let error = match kind {
            "duration" => text.parse::<Duration>().err(),
            "bytes" => text.parse::<Bytes>().err(),
            "rate" => text.parse::<Rate>().err(),
            "share" => text.parse::<Share>().err(),
            _ => text.parse::<Number>().err(),
        };
        error.unwrap_or_else(|| format!("{kind} {text:?} was accepted"))
    };
    for (kind, text, expected) in BAD {
        assert_eq!(message(kind, text), *expected, "{kind} {text:?}");
    }
}

const BAD: &[(&str, &str, &str)] = &[
    ("duration", "30", r#"a duration needs a unit: write "30s"; accepted units are ns, us, ms, s, m, h, d"#),
    ("duration", "1e3", r#"a duration needs a unit: write "30s"; accepted units are ns, us, ms, s, m, h, d"#),
    (
        "duration",
        "inf",
        r#"a duration must be finite, not "inf": write "30s"; accepted units are ns, us, ms, s, m, h, d"#,
    ),
    ("duration", "-5s", r#"a duration cannot be negative: "-5s" was given"#),
    ("duration", "-5", r#"a duration cannot be negative: "-5" was given"#),
    (
        "duration",
        "30 sec",
        r#""30 sec" is not a duration: write "30s", "1.5h" or "1m30s"; accepted units are ns, us, ms, s, m, h, d"#,
    ),
    (
        "duration",
        "",
        r#""" is not a duration: write "30s", "1.5h" or "1m30s"; accepted units are ns, us, ms, s, m, h, d"#,
    ),
    (
        "duration",
        "1.2.3s",
        r#""1.2.3s" is not a duration: write "30s", "1.5h" or "1m30s"; accepted units are ns, us, ms, s, m, h, d"#,
    ),
    ("duration", "30s1m", r#""30s1m" repeats or mixes its units: write them from large to small, as in "1m30s""#),
    ("duration", "0.5ns", r#""0.5ns" is not a whole number of nanoseconds: round it to ns"#),
    ("duration", "213504d", r#""213504d" is too long: a duration is at most 213503d, about 584 years"#),
    (
        "duration",
        "99999999999999999999s",
        r#""99999999999999999999s" is too long: a duration is at most 213503d, about 584 years"#,
    ),
    ("bytes", "512", r#"a size needs a unit: write "512B"; accepted units are B, kB, MB, GB, KiB, MiB, GiB"#),
    (
        "bytes",
        "8KB",
        r#""8KB" is not a size: write "512B", "8KiB" or "1.5MB"; accepted units are B, kB, MB, GB, KiB, MiB, GiB"#,
    ),
    ("bytes", "1.5B", r#""1.5B" is not a whole number of bytes: write it in a smaller unit"#),
    ("bytes", "-1B", r#"a size cannot be negative: "-1B" was given"#),
    ("bytes", "99999999999GiB", r#""99999999999GiB" is too large: a size is below 2^64 bytes"#),
    ("rate", "120", r#"a rate needs a unit: write "120/s"; accepted units are /s, /m, /h, /d, /w"#),
    ("rate", "120rps", r#""120rps" is not a rate: write "120/s" or "3/m"; accepted units are /s, /m, /h, /d, /w"#),
    ("rate", "5/ms", r#""5/ms" is not a rate: write "120/s" or "3/m"; accepted units are /s, /m, /h, /d, /w"#),
    ("rate", "-1/s", r#"a rate cannot be negative: "-1/s" was given"#),
    ("rate", "nan/s", r#"a rate must be finite: "nan/s" was given"#),
    ("rate", "1e999/s", r#"a rate must be finite: "1e999/s" was given"#),
    ("share", "15", r#""15" is more than the whole: a share is at most "100%", or a number from 0 to 1"#),
    ("share", "101%", r#""101%" is more than the whole: a share is at most "100%", or a number from 0 to 1"#),
    ("share", "half", r#""half" is not a share: write "15%", or a number from 0 to 1"#),
    ("share", "-1%", r#"a share cannot be negative: "-1%" was given"#),
    ("share", "NaN", r#"a share must be finite: "NaN" was given"#),
    ("number", "-3", r#"a number cannot be negative: "-3" was given"#),
    ("number", "inf", r#"a number must be finite: "inf" was given"#),
    ("number", "3s", r#""3s" is not a number: write for example 3 or 1.5, without a unit"#),
];

#[test]
fn files_give_text_or_numbers() {
    #[derive(serde::Deserialize)]
    struct File<T> {
        x: T,
    }
    fn read<T: DeserializeOwned>(x: &str) -> Result<T, String> {
        toml::from_str::<File<T>>(&format!("x = {x}")).map(|f| f.x).map_err(|e| e.message().to_owned())
    }
    assert_eq!(read(r#""1m30s""#), Ok(Duration::from_secs(90)));
    assert_eq!(read("0.25"), Ok(Share::new(0.25)));
    assert_eq!(read("1"), Ok(Share::new(1.0)));
    assert_eq!(read("3"), Ok(Number::new(3.0)));
    assert_eq!(read(r#""2.5""#), Ok(Number::new(2.5)));
    let needs_unit = "a duration needs a unit: write \"1.5s\"; accepted units are ns, us, ms, s, m, h, d";
    assert_eq!(read::<Duration>("1.5"), Err(needs_unit.into()));
    assert_eq!(read::<Rate>("true"), Err("invalid type: boolean `true`, expected a rate such as \"120/s\"".into()));
    assert_eq!(read::<Number>("nan"), Err("a number must be finite: \"NaN\" was given".into()));
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(x: u64, shift in 0_u32..64, ratio in 0.0..=1.0_f64, value in 0.0..1e12_f64) {
        let x = x >> shift;
        prop_assert_eq!(Duration::from_nanos(x).to_string().parse(), Ok(Duration::from_nanos(x)));
        prop_assert_eq!(Bytes::new(x).to_string().parse(), Ok(Bytes::new(x)));
        prop_assert_eq!(Rate::new(value).to_string().parse(), Ok(Rate::new(value)));
        prop_assert_eq!(Rate::new(x as f64 / 60.0).to_string().parse(), Ok(Rate::new(x as f64 / 60.0)));
        prop_assert_eq!(Share::new(ratio).to_string().parse(), Ok(Share::new(ratio)));
        prop_assert_eq!(Number::new(value).to_string().parse(), Ok(Number::new(value)));
    }

    #[test]
    fn no_text_makes_a_reader_panic(picks in proptest::collection::vec(0..20_usize, 0..12)) {
        let pieces = ["-", "+", "0", "1", "9", ".", "e", "%", "/", "s", "m", "h", "d", "µ", " ", "KiB", "B", "inf", "nan", "x"];
        let text: String = picks.into_iter().map(|i| pieces[i]).collect();
        let _ = (text.parse::<Duration>(), text.parse::<Bytes>(), text.parse::<Rate>());
        let _ = (text.parse::<Share>(), text.parse::<Number>());
    }
}
