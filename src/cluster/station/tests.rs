//! Stations against hand-made timetables and closed forms.

use super::*;

const EVENT: Event = Event::new(0, 0);

/// Offers jobs (arrival, demand) and returns when each is done (ns).
fn completions(mut station: Station, jobs: &[(u64, u64)]) -> Vec<u64> {
    const ARRIVAL: u8 = 1;
    let mut queue = Queue::new();
    let mut done = vec![0; jobs.len()];
    for (i, &(at, _)) in jobs.iter().enumerate() {
        queue.at(Instant::from_nanos(at), Event::new(ARRIVAL, i as u32));
    }
    while let Some((now, event)) = queue.pop() {
        let demand = |job: u32| Duration::from_nanos(jobs[job as usize].1);
        if event.kind() == ARRIVAL {
            if station.offer(event.index()) == Offer::Started {
                station.work(now, event.index(), demand(event.index()));
            }
        } else if station.fires(now, event, &mut queue) {
            while let Some(job) = station.finish(now) {
                done[job as usize] = now.as_nanos();
                if let Some(next) = station.release() {
                    station.work(now, next, demand(next));
                }
            }
        }
        station.rearm(now, EVENT, &mut queue);
    }
    done
}

#[test]
fn one_fifo_slot_serves_in_turn() {
    let station = Station::new(1, 9, Discipline::Fifo);
    assert_eq!(completions(station, &[(0, 10), (1, 10), (2, 5)]), [10, 20, 25]);
}

#[test]
fn two_fifo_slots_serve_side_by_side() {
    let station = Station::new(2, 9, Discipline::Fifo);
    assert_eq!(completions(station, &[(0, 10), (1, 10), (2, 5)]), [10, 11, 15]);
}

#[test]
fn sharing_slows_everyone_alike() {
    // Alone until 10 (10 done, 20 left); both share until the second is done at 30; alone again.
    let station = Station::new(1, 9, Discipline::ProcessorSharing);
    assert_eq!(completions(station, &[(0, 30), (10, 10)]), [40, 30]);
}

#[test]
fn sharing_gives_no_job_more_than_one_processor() {
    let station = Station::new(4, 9, Discipline::ProcessorSharing);
    assert_eq!(completions(station, &[(0, 30), (10, 10)]), [30, 20]);
}

#[test]
fn a_frozen_station_goes_on_where_it_stood() {
    for discipline in [Discipline::Fifo, Discipline::ProcessorSharing] {
        let (mut station, mut queue) = (Station::new(1, 9, discipline), Queue::new());
        station.offer(7);
        station.work(Instant::START, 7, Duration::from_nanos(10));
        station.freeze(Instant::from_nanos(4));
        station.rearm(Instant::from_nanos(4), EVENT, &mut queue);
        assert_eq!(station.finish(Instant::from_nanos(50)), None);
        station.thaw(Instant::from_nanos(100));
        station.rearm(Instant::from_nanos(100), EVENT, &mut queue);
        assert_eq!(station.finish(Instant::from_nanos(105)), None);
        assert_eq!(station.finish(Instant::from_nanos(106)), Some(7));
    }
}

#[test]
fn the_timer_is_right_however_late_it_is_set_again() {
    for discipline in [Discipline::Fifo, Discipline::ProcessorSharing] {
        let (mut station, mut queue) = (Station::new(1, 9, discipline), Queue::new());
        station.offer(7);
        station.work(Instant::START, 7, Duration::from_nanos(10));
        station.rearm(Instant::from_nanos(2), EVENT, &mut queue);
        assert_eq!(station.timer.due(), Instant::from_nanos(10));
        station.freeze(Instant::from_nanos(4));
        station.thaw(Instant::from_nanos(100));
        station.set_speed(Instant::from_nanos(100), 0.5);
        station.rearm(Instant::from_nanos(102), EVENT, &mut queue);
        assert_eq!(station.timer.due(), Instant::from_nanos(112));
    }
}

#[test]
fn a_full_line_refuses() {
    let mut fifo = Station::new(1, 1, Discipline::Fifo);
    assert_eq!([fifo.offer(1), fifo.offer(2), fifo.offer(3)], [Offer::Started, Offer::Queued, Offer::Full]);
    let mut shared = Station::new(1, 1, Discipline::ProcessorSharing);
    assert_eq!([shared.offer(1), shared.offer(2), shared.offer(3)], [Offer::Started, Offer::Started, Offer::Full]);
}

#[test]
fn a_slot_may_be_held_without_work() {
    let mut station = Station::new(1, 5, Discipline::Fifo);
    station.offer(1);
    station.work(Instant::START, 1, Duration::from_nanos(5));
    station.offer(2);
    assert_eq!(station.finish(Instant::from_nanos(5)), Some(1));
    assert_eq!((station.held(), station.busy()), (1, 0), "done, but not yet released");
    assert_eq!(station.release(), Some(2));
}

/// Works on jobs of these demands at once, at half speed from `slow` and at full speed again from `fast`.
fn slowed(discipline: Discipline, demands: &[u64], slow: u64, fast: u64) -> Vec<u64> {
    let mut station = Station::new(demands.len() as u32, 9, discipline);
    let mut queue = Queue::new();
    let mut done = vec![0; demands.len()];
    for (job, &demand) in (0..).zip(demands) {
        station.offer(job);
        station.work(Instant::START, job, Duration::from_nanos(demand));
    }
    station.rearm(Instant::START, EVENT, &mut queue);
    queue.at(Instant::from_nanos(slow), Event::new(1, 0));
    queue.at(Instant::from_nanos(fast), Event::new(1, 1));
    while let Some((now, event)) = queue.pop() {
        if event.kind() == 1 {
            station.set_speed(now, if event.index() == 0 { 0.5 } else { 1.0 });
        } else if station.fires(now, event, &mut queue) {
            while let Some(job) = station.finish(now) {
                done[job as usize] = now.as_nanos();
                station.release();
            }
        }
        station.rearm(now, EVENT, &mut queue);
    }
    done
}

#[test]
fn a_change_of_speed_stretches_what_is_left() {
    for discipline in [Discipline::Fifo, Discipline::ProcessorSharing] {
        // By 10: 10 done; from 10 to 30 another 10; then at full speed.
        assert_eq!(slowed(discipline, &[5, 20, 25], 10, 30), [5, 30, 35]);
    }
}

#[test]
fn what_is_left_does_not_depend_on_how_often_the_speed_changed() {
    for discipline in [Discipline::Fifo, Discipline::ProcessorSharing] {
        let mut station = Station::new(1, 9, discipline);
        station.offer(1);
        station.work(Instant::START, 1, Duration::from_nanos(3_000_000));
        // A third of the pace every other nanosecond: 2/3 on average.
        for at in 0..3_000 {
            station.set_speed(Instant::from_nanos(at), if at % 2 == 0 { 1.0 / 3.0 } else { 1.0 });
        }
        station.set_speed(Instant::from_nanos(3_000), 1.0);
        let left = station.unfinished(Instant::from_nanos(3_000)).as_nanos();
        assert!((2_997_999..=2_998_000).contains(&left), "{left}");
    }
}

#[test]
fn a_fast_station_takes_less_time() {
    for discipline in [Discipline::Fifo, Discipline::ProcessorSharing] {
        let mut station = Station::new(1, 9, discipline);
        station.set_speed(Instant::START, 4.0);
        assert_eq!(completions(station, &[(0, 40), (20, 40)]), [10, 30]);
    }
}
