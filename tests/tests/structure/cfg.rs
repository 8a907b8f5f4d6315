//! Items that only tests compile.

use syn::{Attribute, Meta, Token, parse::Parser as _, punctuated::Punctuated};

/// Value of a condition while no test is compiled. Features and platforms are unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    False,
    True,
    Unknown,
}

/// Returns true if these attributes leave an item out of the program.
pub(crate) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        path.is_ident("test")
            || (path.is_ident("cfg")
                && attribute.parse_args::<Meta>().is_ok_and(|meta| evaluate(&meta) == Value::False))
    })
}

fn evaluate(condition: &Meta) -> Value {
    if condition.path().is_ident("test") {
        return Value::False;
    }
    let Meta::List(list) = condition else { return Value::Unknown };
    let parts = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(list.tokens.clone());
    let values: Vec<Value> = parts.iter().flatten().map(evaluate).collect();
    let has = |value| values.contains(&value);
    let all = |value| values.iter().all(|one| *one == value);
    match () {
        () if list.path.is_ident("all") && has(Value::False) => Value::False,
        () if list.path.is_ident("all") && all(Value::True) => Value::True,
        () if list.path.is_ident("any") && has(Value::True) => Value::True,
        () if list.path.is_ident("any") && all(Value::False) => Value::False,
        () if list.path.is_ident("not") && all(Value::False) => Value::True,
        () if list.path.is_ident("not") && all(Value::True) => Value::False,
        () => Value::Unknown,
    }
}
