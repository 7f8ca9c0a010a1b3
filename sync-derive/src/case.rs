//! The spelling of names: `rename_all`'s cases, and an entity type's name from its struct's.

/// A case of serde's: serde's rules exactly, so that a field has one name in JSON and in the log.
#[derive(Clone, Copy)]
pub(crate) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

const CASES: [(&str, Case); 8] = [
    ("lowercase", Case::Lower),
    ("UPPERCASE", Case::Upper),
    ("PascalCase", Case::Pascal),
    ("camelCase", Case::Camel),
    ("snake_case", Case::Snake),
    ("SCREAMING_SNAKE_CASE", Case::ScreamingSnake),
    ("kebab-case", Case::Kebab),
    ("SCREAMING-KEBAB-CASE", Case::ScreamingKebab),
];

impl Case {
    /// The case of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        CASES.iter().find(|(known, _)| *known == name).map(|(_, case)| *case)
    }

    /// What there is to choose from, for a message.
    pub(crate) fn names() -> Vec<&'static str> {
        CASES.iter().map(|(name, _)| *name).collect()
    }

    /// A field's name, which is taken to be in snake case, in this case.
    pub(crate) fn apply(self, field: &str) -> String {
        match self {
            Case::Lower | Case::Snake => field.to_owned(),
            Case::Upper | Case::ScreamingSnake => field.to_ascii_uppercase(),
            Case::Pascal => pascal(field),
            Case::Camel => {
                let pascal = pascal(field);
                let mut rest = pascal.chars();
                rest.next().map_or(String::new(), |first| format!("{}{}", first.to_ascii_lowercase(), rest.as_str()))
            }
            Case::Kebab => field.replace('_', "-"),
            Case::ScreamingKebab => field.to_ascii_uppercase().replace('_', "-"),
        }
    }
}

fn pascal(field: &str) -> String {
    let mut capital = true;
    let mut name = String::new();
    for letter in field.chars() {
        match letter {
            '_' => capital = true,
            _ if std::mem::take(&mut capital) => name.push(letter.to_ascii_uppercase()),
            _ => name.push(letter),
        }
    }
    name
}

/// `ShoppingList` is `shopping_list`, `HTTPServer` is `http_server`.
///
/// Written here and not taken from a library: the name stands in every log, so the rule may never change.
pub(crate) fn entity_name(type_name: &str) -> String {
    let letters: Vec<char> = type_name.chars().collect();
    let mut name = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let ends_word = before.is_some_and(|c| c.is_lowercase() || c.is_ascii_digit());
        let ends_acronym =
            before.is_some_and(char::is_uppercase) && letters.get(at + 1).is_some_and(|c| c.is_lowercase());
        if letter.is_uppercase() && (ends_word || ends_acronym) {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::entity_name;

    #[test]
    fn entity_names_split_at_words_and_after_acronyms() {
        for (type_name, expected) in [
            ("Note", "note"),
            ("ShoppingList", "shopping_list"),
            ("HTTPServer", "http_server"),
            ("UserID", "user_id"),
            ("Area51Map", "area51_map"),
            ("Already_Split", "already_split"),
            ("Übung", "übung"),
            ("X", "x"),
        ] {
            assert_eq!(entity_name(type_name), expected, "{type_name}");
        }
    }
}
