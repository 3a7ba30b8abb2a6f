//! What the laws promise: moments, equilibrium lives, pinned draws, spelling.

use super::*;
use crate::base::draw::{Stream, mix};
use crate::base::time::Duration;
use crate::base::units::{Bytes, Number};
use std::path::Path;

const DRAWS: u64 = 200_000;

#[derive(Debug, serde::Deserialize, serde::Serialize, PartialEq)]
struct File<U: Unit> {
    #[serde(bound = "U: Unit")]
    x: Law<U>,
}

fn read<U: Unit>(law: &str) -> Result<Law<U>, toml::de::Error> {
    toml::from_str::<File<U>>(&format!("x = {law}")).map(|file| file.x)
}

fn sampler(law: &str) -> Sampler {
    let law = read::<Duration>(law).unwrap_or_else(|e| panic!("{law}: {e}"));
    law.compile(Path::new(".")).unwrap_or_else(|e| panic!("{law:?}: {e:?}"))
}

/// Every law, some twice where the arithmetic takes another path, with the hash of its first draws.
const LAWS: &[(&str, u64)] = &[
    (r#""12ms""#, 16_646_812_502_169_962_558),
    (r#"{ uniform = { min = "1s", max = "5s" } }"#, 4_840_780_618_814_200_627),
    (r#"{ exponential = { mean = "3s" } }"#, 15_388_076_162_068_547_072),
    (r#"{ erlang = { mean = "3s", shape = 4 } }"#, 11_872_207_666_227_008_006),
    (r#"{ gamma = { mean = "3s", shape = 0.7 } }"#, 17_549_798_844_833_303_469),
    (r#"{ lognormal = { median = "8s", sigma = 0.6 } }"#, 36_668_813_606_378_805),
    (r#"{ lognormal = { median = "8s", p95 = "20s" } }"#, 2_148_483_257_531_174_084),
    (r#"{ weibull = { mean = "3s", shape = 0.8 } }"#, 4_801_387_495_969_462_891),
    (r#"{ weibull = { scale = "3s", shape = 2 } }"#, 18_320_841_824_502_693_297),
    (r#"{ pareto = { min = "1s", max = "100s", alpha = 2.5 } }"#, 930_651_179_753_873_052),
    (r#"{ pareto = { min = "1s", max = "20s", alpha = 1 } }"#, 2_358_282_447_342_173_356),
    (r#"{ pareto = { min = "1s", max = "20s", alpha = 0.5 } }"#, 6_518_037_514_054_898_198),
    (r#"{ hyperexponential = { mean = "3s", cv2 = 4 } }"#, 16_676_356_097_700_932_568),
    (r#"{ empirical = { values = ["1s", "2s", "2s", "9s"] } }"#, 16_592_260_975_031_970_727),
];

/// Mean of `DRAWS` values and five standard errors of it.
fn average(purpose: &str, mut draw: impl FnMut(&mut crate::base::draw::Draw) -> f64) -> (f64, f64) {
    let stream = Stream::new(11, "test", purpose);
    let (mut sum, mut squares) = (0.0, 0.0);
    for i in 0..DRAWS {
        let value = draw(&mut stream.at(i, 0));
        sum += value;
        squares += value * value;
    }
    let mean = sum / DRAWS as f64;
    let variance = (squares / DRAWS as f64 - mean * mean).max(0.0);
    (mean, 5.0 * (variance / DRAWS as f64).sqrt() + 1e-9 * mean)
}

fn assert_near((found, margin): (f64, f64), expected: f64, what: &str, law: &str) {
    assert!((found - expected).abs() <= margin, "{what} of {law}: {found} ± {margin}, expected {expected}");
}

#[test]
fn draws_have_the_stated_mean_and_variation() {
    for (law, _) in LAWS {
        let s = sampler(law);
        assert_near(average(law, |rng| s.sample(rng)), s.mean(), "mean", law);
        let square = |x: f64| (x / s.mean() - 1.0) * (x / s.mean() - 1.0);
        assert_near(average(law, |rng| square(s.sample(rng))), s.scv(), "scv", law);
    }
}

#[test]
fn lives_met_half_way_are_longer_and_half_over() {
    for (law, _) in LAWS {
        let s = sampler(law);
        // E[x²]/E[x].
        let met = s.mean() * (1.0 + s.scv());
        assert_near(average(law, |rng| s.sample_length_biased(rng)), met, "length-biased mean", law);
        assert_near(average(law, |rng| s.sample_residual(rng)), met / 2.0, "residual mean", law);
    }
}

#[test]
fn length_biased_draws_have_the_weighted_distribution() {
    // P(L ≤ mean) = E[x; x ≤ mean]/E[x]: the whole shape, not only the mean.
    for (law, _) in LAWS {
        let s = sampler(law);
        let cut = s.mean() * 1.000_001;
        let (weighted, margin) = average(law, |rng| {
            let x = s.sample(rng);
            if x <= cut { x / s.mean() } else { 0.0 }
        });
        let (below, other) = average(law, |rng| f64::from(u8::from(s.sample_length_biased(rng) <= cut)));
        assert_near((below, margin + other), weighted, "P(L <= mean)", law);
    }
}

#[test]
fn closed_forms() {
    let mean = |law: &str| sampler(law).mean() / 1e9;
    assert!((mean(r#"{ uniform = { min = "1s", max = "5s" } }"#) - 3.0).abs() < 1e-12);
    assert!((mean(r#"{ weibull = { mean = "3s", shape = 0.8 } }"#) - 3.0).abs() < 1e-12);
    // Bounded Pareto with alpha = 1: mean = ln(H/L)·L·H/(H − L).
    let expected = libm::log(20.0) * 20.0 / 19.0;
    assert!((mean(r#"{ pareto = { min = "1s", max = "20s", alpha = 1 } }"#) - expected).abs() < 1e-12);
    assert!((sampler(r#"{ hyperexponential = { mean = "3s", cv2 = 4 } }"#).scv() - 4.0).abs() < 1e-12);
    let lognormal = sampler(r#"{ lognormal = { mean = "8s", sigma = 0.5 } }"#);
    assert!((lognormal.mean() / 8e9 - 1.0).abs() < 1e-12);
    let p95 = sampler(r#"{ lognormal = { median = "8s", p95 = "20s" } }"#);
    let (below, margin) = average("p95", |rng| f64::from(u8::from(p95.sample(rng) <= 20e9)));
    assert!((below - 0.95).abs() <= margin, "{below}");
}

#[test]
fn the_draws_are_pinned() {
    // The guard of portability: other bits here mean that a law, `rand_distr` or the mathematical
    // library behind it has changed, and every published result with them.
    let hash = |law: &str| {
        let (s, stream) = (sampler(law), Stream::new(1, "golden", "law"));
        (0..100_000_u64).fold(0, |hash, i| {
            let mut rng = stream.at(i, 0);
            let fresh = s.sample(&mut rng).to_bits();
            mix(mix(hash ^ fresh) ^ s.sample_length_biased(&mut rng).to_bits())
        })
    };
    let found: Vec<(&str, u64)> = LAWS.iter().map(|(law, _)| (*law, hash(law))).collect();
    assert_eq!(found, LAWS);
}

#[test]
fn degenerate_laws_are_constants() {
    let mut rng = Stream::new(1, "test", "degenerate").sequence();
    for (law, value) in [
        (r#""0s""#, 0.0),
        (r#"{ uniform = { min = "0s", max = "0s" } }"#, 0.0),
        (r#"{ pareto = { min = "2s", max = "2s", alpha = 1.5 } }"#, 2e9),
        (r#"{ empirical = { values = ["0s", "0s"] } }"#, 0.0),
    ] {
        let s = sampler(law);
        assert_eq!((s.mean(), s.scv()), (value, 0.0), "{law}");
        assert_eq!((s.sample(&mut rng), s.sample_length_biased(&mut rng)), (value, value), "{law}");
    }
    assert_eq!(sampler(r#""12ms""#).duration(&mut rng), Duration::from_millis(12));
}

#[test]
fn a_law_reads_from_a_bare_value_or_a_table_and_prints_back() {
    assert_eq!(read(r#""12ms""#).unwrap(), Law::constant(Duration::from_millis(12)));
    assert_eq!(read(r#"{ constant = "12ms" }"#).unwrap(), Law::constant(Duration::from_millis(12)));
    assert_eq!(read("3").unwrap(), Law::constant(Number::new(3.0)));
    assert_eq!(read("2.5").unwrap(), Law::constant(Number::new(2.5)));
    assert_eq!(read(r#""8KiB""#).unwrap(), Law::constant(Bytes::new(8192)));
    for (law, _) in LAWS.iter().copied().chain([(r#"{ empirical = { file = "times.csv" } }"#, 0)]) {
        let file = File { x: read::<Duration>(law).unwrap() };
        let printed = toml::to_string(&file).unwrap();
        assert_eq!(toml::from_str::<File<Duration>>(&printed).unwrap(), file, "{printed}");
    }
}

#[test]
fn an_error_in_the_file_points_at_its_own_word() {
    for (law, word, message) in [
        (
            r#"{ lognormal = { medain = "8m" } }"#,
            "medain",
            "unknown field `medain`, expected one of `median`, `mean`, `sigma`, `p95`",
        ),
        (
            r#"{ exponential = { mean = 30 } }"#,
            "30",
            "a duration needs a unit: write \"30s\"; accepted units are ns, us, ms, s, m, h, d",
        ),
        (
            r#"{ exponential = { mean = "1s" }, uniform = { min = "1s", max = "2s" } }"#,
            "uniform",
            "`uniform` is one alternative too many: keep exactly one",
        ),
        ("30", "30", "a duration needs a unit: write \"30s\"; accepted units are ns, us, ms, s, m, h, d"),
        (
            "true",
            "true",
            "invalid type: boolean `true`, expected a duration such as \"1m30s\", or a law such as { exponential = { .. } }",
        ),
    ] {
        let error = read::<Duration>(law).unwrap_err();
        assert_eq!(error.message(), message, "{law}");
        let text = format!("x = {law}");
        assert_eq!(error.span().map(|span| &text[span]), Some(word), "{law}");
    }
    let error = read::<Duration>(r#"{ lognorml = { median = "8m" } }"#).unwrap_err();
    assert!(error.message().starts_with("unknown variant `lognorml`, expected one of `constant`"), "{error}");
}

#[test]
fn every_name_is_a_law_and_every_law_has_a_name() {
    for (name, _) in NAMES {
        let error = read::<Duration>(&format!("{{ {name} = true }}")).unwrap_err();
        assert!(!error.message().contains("unknown variant"), "{error}");
    }
    for (law, _) in LAWS {
        let law = read::<Duration>(law).unwrap();
        assert!(NAMES.iter().any(|(name, _)| *name == law.0.name()));
    }
}

#[test]
fn bad_parameters_are_told_how_to_mend_them() {
    for (law, expected) in BAD {
        let faults = read::<Duration>(law).unwrap().compile(Path::new("/nowhere")).unwrap_err();
        let found: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(found, *expected, "{law}");
    }
}

const BAD: &[(&str, &[&str])] = &[
    (r#"{ exponential = { mean = "0s" } }"#, &["exponential.mean: mean = 0s must be above zero"]),
    (
        r#"{ uniform = { min = "5s", max = "1s" } }"#,
        &["uniform.max: max = 1s is below min = 5s: raise max or lower min"],
    ),
    (
        r#"{ erlang = { mean = "1s", shape = 0 } }"#,
        &["erlang.shape: shape = 0 must be a whole number of stages, at least 1"],
    ),
    (
        r#"{ gamma = { mean = "0s", shape = nan } }"#,
        &["gamma.mean: mean = 0s must be above zero", "gamma.shape: shape = NaN must lie between 0.001 and 1000000000"],
    ),
    (
        r#"{ lognormal = { } }"#,
        &[
            "lognormal: lognormal needs exactly one of `median` and `mean`",
            "lognormal: lognormal needs exactly one of `sigma` and `p95`",
        ],
    ),
    (
        r#"{ lognormal = { mean = "1s", p95 = "2s" } }"#,
        &["lognormal.p95: `p95` goes with `median`: give the median, or `sigma` instead of `p95`"],
    ),
    (
        r#"{ lognormal = { median = "2s", p95 = "1s" } }"#,
        &["lognormal.p95: p95 = 1s is below median = 2s: raise p95 or lower median"],
    ),
    (r#"{ lognormal = { median = "2s", sigma = -1 } }"#, &["lognormal.sigma: sigma = -1 must lie between 0 and 10"]),
    (
        r#"{ weibull = { mean = "2s", scale = "2s", shape = 0 } }"#,
        &[
            "weibull.shape: shape = 0 must lie between 0.05 and 1000",
            "weibull: weibull needs exactly one of `mean` and `scale`",
        ],
    ),
    (
        r#"{ pareto = { min = "0s", max = "1s", alpha = inf } }"#,
        &["pareto.min: min = 0s must be above zero", "pareto.alpha: alpha = inf must lie between 0.001 and 1000"],
    ),
    (
        r#"{ hyperexponential = { mean = "1s", cv2 = 1 } }"#,
        &[
            "hyperexponential.cv2: cv2 = 1 must be above 1, and at most 1e9: write exponential for 1, gamma with shape = 1/cv2 below 1",
        ],
    ),
    (r#"{ empirical = { } }"#, &["empirical: empirical needs exactly one of `values` and `file`"]),
    (r#"{ empirical = { values = [] } }"#, &["empirical.values: no values: give at least one, such as \"1m30s\""]),
    (
        r#"{ empirical = { file = "no.csv" } }"#,
        &["empirical.file: cannot read /nowhere/no.csv: No such file or directory (os error 2)"],
    ),
];

#[test]
fn empirical_files_are_found_beside_the_scenario() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("times.csv"), "time\n# comment\n1s\n3s\n").unwrap();
    let law = read::<Duration>(r#"{ empirical = { file = "times.csv" } }"#).unwrap();
    assert_eq!(law.compile(dir.path()).map(|s| s.mean()), Ok(2e9));
}

#[test]
fn the_schema_offers_the_value_and_every_law() {
    let schema = serde_json::to_string(&schemars::schema_for!(Law<Duration>)).unwrap();
    for (name, _) in NAMES {
        assert!(schema.contains(&format!("\"{name}\"")), "{name} is missing in {schema}");
    }
}
