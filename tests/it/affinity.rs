//! What remembers where a session belongs, and for how long: cookies and their lives, tables, answers that bind.

use crate::lab::{causes, figure, node_sessions, simulate, whole};
use stickysim::base::cause::{Cause, Harm};
use stickysim::observe::recorder::Recording;
use stickysim::observe::window::Window;

/// The windows of all populations, tick by tick.
fn ticks(recording: &Recording) -> impl Iterator<Item = &Window> {
    recording.ticks.iter().filter(|tick| tick.cluster.is_some())
}

/// Clients of two nodes who ask every second and are answered at once.
fn asking(clients: u32, duration: &str, affinity: &str) -> Recording {
    simulate(&format!(
        "duration = '{duration}'\ncluster.nodes = 2\n[clients.c]\narrivals = {{ initial = {clients} }}\n\
         length = 'forever'\nthink = '1s'\nservice = '0s'\n[balancer]\naffinity = {affinity}\n"
    ))
}

fn moved(recording: &Recording) -> Vec<(Cause, u64)> {
    causes(&whole(recording).totals, Harm::Moved)
}

#[test]
fn a_cookie_with_an_absolute_life_ends_however_much_it_is_used() {
    // Round robin over two nodes: every new cookie of a lone client names the other one. It is set by a reply and
    // heeded by the nine requests that follow it at 1 s to 9 s; the tenth gets a new one. 10,000 s have a thousand.
    let recording = asking(1, "10000s", "{ cookie = { life_max = '9500ms' } }");
    let [(cause, times)] = moved(&recording)[..] else { panic!("{:?}", moved(&recording)) };
    assert_eq!(cause, Cause::Expired);
    assert!((999..=1001).contains(&times), "{times}");
}

#[test]
fn a_sliding_life_ends_only_when_nothing_comes() {
    assert_eq!(moved(&asking(10, "1000s", "{ cookie = { idle_max = '1500ms' } }")), []);
    // Too short for the pause: no request but the first ever shows a good one, and every other one is the other node's.
    let never = moved(&asking(1, "1000s", "{ cookie = { idle_max = '900ms' } }"));
    let [(Cause::Expired, times)] = never[..] else { panic!("{never:?}") };
    assert!((998..=1001).contains(&times), "{times}");
}

#[test]
fn an_absolute_life_of_twenty_minutes_moves_a_share_that_follows_from_the_number_of_nodes() {
    // Four nodes: three in four of the cookies that end are followed by another node's. Two hours, six lives each.
    let recording = simulate(
        "duration = '2h'\ntick = '1m'\ncluster.nodes = 4\n[clients.c]\narrivals = { initial = 2000 }\n\
         length = 'forever'\nthink = { exponential = { mean = '10s' } }\nservice = '1ms'\n\
         [balancer]\nbalance = { random = { draws = 1 } }\naffinity = { cookie = { life_max = '20m' } }\n",
    );
    // A life is over with the first request after its end, 10 s later on average.
    let expected = 2000.0 * 7200.0 / 1210.0 * 0.75;
    let found = figure(whole(&recording), "sessions_moved_total");
    assert!((found / expected - 1.0).abs() < 0.02, "{found}, not {expected}");
    // The cookies of those who were there from the start do not end together.
    let most = ticks(&recording).map(|tick| tick.totals.total(Harm::Moved)).max().unwrap();
    assert!((most as f64) < 2.0 * expected / 120.0, "{most} in one minute");
}

#[test]
fn what_outlives_the_cookie_of_a_stream_comes_back_elsewhere() {
    // The node's process dies after a minute; the cookie is good for half of one, since it is shown at opening only.
    let text = |idle: &str| {
        format!(
            "duration = '2m'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ initial = 100 }}\nlength = 'forever'\n\
             protocol = 'stream'\nthink = '1s'\nservice = '1ms'\nreconnect = {{ fixed = {{ delay = '2s' }} }}\n\
             [balancer]\nhealth = {{ interval = '1h' }}\nbalance = {{ random = {{ draws = 1 }} }}\n\
             affinity = {{ cookie = {{ idle_max = '{idle}' }} }}\n\
             [fault.crash]\nat = '1m'\nkill = {{ nodes = 4, lasts = '1s' }}\n"
        )
    };
    assert_eq!(moved(&simulate(&text("90s"))), []);
    let elsewhere = moved(&simulate(&text("30s")));
    let [(Cause::Expired, times)] = elsewhere[..] else { panic!("{elsewhere:?}") };
    assert!((60..90).contains(&times), "three in four: {times}");
}

/// Forty clients of four nodes who ask every ten seconds; n1 is down from 30 s to 60 s.
fn four(affinity: &str, below: &str) -> String {
    format!(
        "duration = '100s'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ initial = 40 }}\nlength = 'forever'\n\
         think = '10s'\nservice = '1ms'\nreconnect = {{ fixed = {{ delay = '1s' }} }}\n\
         [balancer]\nredispatch = true\nhealth = {{ interval = '1ms' }}\naffinity = {affinity}\n\
         [fault.crash]\nat = '30s'\nkill = {{ nodes = ['n1'], lasts = '30s' }}\n{below}"
    )
}

#[test]
fn a_cookie_that_is_not_rewritten_calls_its_session_back() {
    let gone = moved(&simulate(&four("'cookie'", "")));
    assert_eq!(gone, [(Cause::Unavailable, 10)]);
    let text = four("{ cookie = { rewrite = false } }", "");
    let back = moved(&simulate(&text));
    // Meanwhile each request is dealt out anew, three times in thirty seconds.
    assert_eq!(back.last(), Some(&(Cause::Recalled, 10)), "{back:?}");
    assert_eq!((back[0].0, back.len()), (Cause::Unavailable, 2));
    assert!((10..=30).contains(&back[0].1), "{back:?}");
    assert_eq!(node_sessions(&text, "n1", 99), 10.0);
}

#[test]
fn an_answer_binds_even_if_it_is_an_error() {
    // The node that says it does not know the session is the one that gets its next request.
    let recording = simulate(&four("'cookie'", "[state.memory]\non_missing = 'error'\n"));
    assert_eq!(causes(&whole(&recording).totals, Harm::Failed), [(Cause::SessionUnknown, 10)]);
    for tick in ticks(&recording) {
        let [moved, failed] = [Harm::Moved, Harm::Failed].map(|harm| tick.totals.total(harm));
        assert_eq!(moved, failed, "at {:?}", tick.to);
    }
}

#[test]
fn a_cookie_holds_a_newcomer_to_a_node_that_answers_nothing_but_errors() {
    // n1 answers with errors from 10 s on, and a check sees nothing of it. Who comes later meets it in one of four.
    let stuck = |affinity: &str| {
        let recording = simulate(&format!(
            "duration = '100s'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ open = {{ rate = '2/s' }}, initial = 0 }}\n\
             length = 'forever'\nthink = '1s'\nservice = '1ms'\nreconnect = {{ fixed = {{ delay = '1s' }} }}\n\
             [balancer]\naffinity = {affinity}\n[fault.bad]\nat = '1ms'\nblack_hole = {{ nodes = ['n1'] }}\n"
        ));
        (
            whole(&recording).disconnected as f64 / whole(&recording).live as f64,
            figure(whole(&recording), "sessions_reconnected_total"),
        )
    };
    let (cut_off, back) = stuck("'cookie'");
    assert!((cut_off - 0.25).abs() < 0.03, "{cut_off}");
    assert_eq!(back, 0.0, "nobody gets away from it");
    assert!(stuck("'none'").1 > 100.0);
    assert_eq!(stuck("'stick_table'").1, 0.0);
}

#[test]
fn a_table_that_has_expired_forgets_and_an_address_that_is_used_does_not() {
    // A request every two hours, or every four: Kubernetes keeps an address for three.
    let at = |think: &str, affinity: &str| {
        moved(&simulate(&format!(
            "duration = '48h'\ntick = '1h'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ initial = 100 }}\n\
             length = 'forever'\nthink = '{think}'\nservice = '1ms'\n[balancer]\nhealth.interval = '1h'\n\
             balance = {{ random = {{ draws = 1 }} }}\naffinity = {affinity}\n"
        )))
    };
    assert_eq!(at("2h", "'client_ip'"), []);
    let forgotten = at("4h", "'client_ip'");
    let [(Cause::Forgotten, times)] = forgotten[..] else { panic!("{forgotten:?}") };
    // Twelve requests each, of which the first may come within three hours.
    assert!((750..950).contains(&times), "three in four of 1,100 to 1,200: {times}");
    assert_eq!(at("4h", "{ client_ip = { timeout = '5h' } }"), []);
}

#[test]
fn clients_behind_one_address_share_a_node_and_headers_tell_them_apart() {
    let fullest = |affinity: &str| {
        let recording = simulate(&format!(
            "duration = '10s'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ initial = 400 }}\nlength = 'forever'\n\
             think = '1s'\nservice = '1ms'\naddresses = {{ nat = {{ addresses = 1 }} }}\n[balancer]\naffinity = {affinity}\n"
        ));
        figure(whole(&recording), "sessions_peak_to_mean")
    };
    assert_eq!(fullest("'client_ip'"), 4.0);
    assert_eq!(fullest("{ stick_table = { key = 'address' } }"), 4.0);
    assert_eq!(fullest("{ stick_table = { key = 'header' } }"), 1.0);
    assert_eq!(fullest("{ stick_table = { key = 'session' } }"), 1.0);
}

#[test]
fn a_stream_touches_the_table_when_it_is_opened_and_not_when_it_is_used() {
    // Opened at the start, cut after a minute, back two seconds later: an entry of half a minute is gone by then.
    let text = |expire: &str| {
        format!(
            "duration = '2m'\ncluster.nodes = 4\n[clients.c]\narrivals = {{ initial = 100 }}\nlength = 'forever'\n\
             protocol = 'stream'\nthink = '1s'\nservice = '1ms'\nreconnect = {{ fixed = {{ delay = '2s' }} }}\n\
             [balancer]\nhealth = {{ interval = '1h' }}\nbalance = {{ random = {{ draws = 1 }} }}\n\
             affinity = {{ stick_table = {{ expire = '{expire}' }} }}\n\
             [fault.crash]\nat = '1m'\nkill = {{ nodes = 4, lasts = '1s' }}\n"
        )
    };
    assert_eq!(moved(&simulate(&text("90s"))), []);
    assert_eq!(moved(&simulate(&text("30s")))[0].0, Cause::Forgotten);
}
