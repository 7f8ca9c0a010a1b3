//! Counters whose sum is beyond what their type holds: every device can still read them.

use sync_core::{Id, MemoryStore, Replica, Syncable};

use super::support::{Set, hub_on, run};

#[derive(Syncable, Debug, PartialEq)]
struct Ware {
    #[sync(id)]
    id: Id<Ware, String>,
    name: String,
    #[sync(merge = "counter")]
    stock: u32,
    #[sync(merge = "counter")]
    rating: i8,
}

#[test]
fn a_sum_beyond_its_type_shows_as_the_nearest_that_the_type_holds() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let open =
        || Replica::builder().register::<Ware>().clock(clock.clone()).threadless().open(MemoryStore::new()).unwrap();
    let sync = |replica: &Replica| {
        run(replica.sync(&hub.transport("tester"))).unwrap();
    };
    let (ana, ben) = (open(), open());
    let id = Id::from("w");
    ana.create(Ware { id: id.clone(), name: "lamp".into(), stock: 1, rating: 100 }).unwrap().wait().unwrap();
    [&ana, &ben].into_iter().for_each(sync);
    // Both sell the last one.
    for device in [&ana, &ben] {
        let sold = |ware: &mut Ware| (ware.stock, ware.rating) = (0, 120);
        device.edit(&id, sold).unwrap().wait().unwrap();
    }
    [&ana, &ben, &ana].into_iter().for_each(sync);
    let shown = |device: &Replica| device.get(&id).unwrap().map(|ware| (ware.stock, ware.rating)).unwrap();
    let sums = |device: &Replica| {
        let fields = device.raw().get("ware", "w").unwrap().unwrap().fields;
        ["stock", "rating"].map(|name| fields.get(name).unwrap().as_i128().unwrap())
    };
    for device in [&ana, &ben] {
        assert_eq!((shown(device), sums(device)), ((0, i8::MAX), [-1, 140]));
    }
    // An edit of something else is none of them, and one of them adds the difference to what was shown.
    ana.edit(&id, |ware: &mut Ware| ware.name = "lamps".into()).unwrap().wait().unwrap();
    assert_eq!(sums(&ana), [-1, 140]);
    ana.edit(&id, |ware: &mut Ware| (ware.stock, ware.rating) = (10, 117)).unwrap().wait().unwrap();
    assert_eq!((shown(&ana), sums(&ana)), ((9, i8::MAX), [9, 130]));
    // A put makes the sum what it says.
    ana.put(Ware { id: id.clone(), name: "lamp".into(), stock: 9, rating: 50 }).unwrap().wait().unwrap();
    assert_eq!(sums(&ana), [9, 50]);
}

#[test]
fn a_put_takes_back_what_was_added_and_seen_and_nothing_that_was_not() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let open =
        || Replica::builder().register::<Ware>().clock(clock.clone()).threadless().open(MemoryStore::new()).unwrap();
    let ware = |stock: u32| Ware { id: "w".into(), name: "lamp".into(), stock, rating: 0 };
    for is_seen in [true, false] {
        let (ana, ben) = (open(), open());
        let sync = |replica: &Replica| {
            run(replica.sync(&hub.transport("tester"))).unwrap();
        };
        ana.put(ware(5)).unwrap().wait().unwrap();
        [&ana, &ben].into_iter().for_each(sync);
        ben.edit(&"w".into(), |ware: &mut Ware| ware.stock += 3).unwrap().wait().unwrap();
        sync(&ben);
        if is_seen {
            sync(&ana);
        }
        ana.put(ware(6)).unwrap().wait().unwrap();
        [&ana, &ben].into_iter().for_each(sync);
        for device in [&ana, &ben] {
            let shown = device.get::<Ware>(&"w".into()).unwrap().unwrap().stock;
            assert_eq!(shown, if is_seen { 6 } else { 9 });
        }
        ben.put(ware(0)).unwrap().wait().unwrap();
        sync(&ben);
    }
}
