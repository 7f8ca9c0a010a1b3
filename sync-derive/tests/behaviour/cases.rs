//! `rename_all` spells a name as serde does, so that a field is called the same in JSON and in the log.

use serde::Serialize;
use sync_core::{Id, Syncable, Uuid};

use crate::names;

macro_rules! cases {
    ($($test:ident $case:literal)*) => {$(
        #[test]
        #[expect(non_snake_case, reason = "odd names are the point")]
        fn $test() {
            cases!(@struct $case plain two_words _leading trailing_ double__underscore with_1_number
                mixedCase Capital r#type größe_ä);
        }
    )*};
    (@struct $case:literal $($field:ident)*) => {
        #[derive(Syncable, Serialize)]
        #[sync(rename_all = $case)]
        #[serde(rename_all = $case)]
        struct BySync {
            #[sync(id)]
            #[serde(skip)]
            id: Id<BySync>,
            $($field: u8,)*
        }

        #[derive(Syncable)]
        #[sync(rename_all = $case)]
        struct BySyncAlone {
            #[sync(id)]
            id: Id<BySyncAlone>,
            $($field: u8,)*
        }

        let json = serde_json::to_string(&BySync { id: Id::new(Uuid::nil()), $($field: 0,)* }).unwrap();
        assert_eq!(names::<BySync>(), keys(&json));
        assert_eq!(names::<BySyncAlone>(), keys(&json));
    };
}

cases! {
    lower "lowercase"
    upper "UPPERCASE"
    pascal "PascalCase"
    camel "camelCase"
    snake "snake_case"
    screaming_snake "SCREAMING_SNAKE_CASE"
    kebab "kebab-case"
    screaming_kebab "SCREAMING-KEBAB-CASE"
}

/// The keys of a flat object, in the order of the text.
fn keys(json: &str) -> Vec<&str> {
    let members = json.trim_matches(['{', '}']).split(',');
    members.map(|member| member.split('"').nth(1).unwrap()).collect()
}
