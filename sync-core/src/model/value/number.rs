//! Numbers: one spelling for each, and their exact order.
//!
//! The spelling is part of the format: two devices must spell a number alike whatever versions of whatever
//! libraries they were built with. So it is written here, from the standard library's shortest digits.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::{LowerExp, Write};
use std::str::FromStr;

use super::error::ValueError;

/// The longest integer that is taken: as many digits as `u128::MAX` has.
pub(super) const MAX_DIGITS: usize = 39;

/// Below this every integral `f64` is the only one near it, and is spelled as an integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number literal's extent: where it ends and whether it is an integer. An error is where it is no number.
pub(super) fn scan(bytes: &[u8], start: usize) -> Result<(usize, bool), (usize, &'static str)> {
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let whole = start + usize::from(bytes.get(start) == Some(&b'-'));
    let mut at = digits(whole);
    if at == whole {
        return Err((at, "a digit is missing"));
    }
    if bytes[whole] == b'0' && at > whole + 1 {
        return Err((whole, "a number starts with a needless zero"));
    }
    let mut integer = true;
    if bytes.get(at) == Some(&b'.') {
        integer = false;
        let fraction = at + 1;
        at = digits(fraction);
        if at == fraction {
            return Err((at, "a digit is missing"));
        }
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        integer = false;
        let exponent = at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = digits(exponent);
        if at == exponent {
            return Err((at, "a digit is missing"));
        }
    }
    Ok((at, integer))
}

/// The one spelling of a literal that [`scan`] has passed.
pub(super) fn canonical(literal: &str, integer: bool) -> Result<Cow<'_, str>, ValueError> {
    if integer {
        if literal == "-0" {
            return Ok(Cow::Borrowed("-0.0"));
        }
        if literal.trim_start_matches('-').len() > MAX_DIGITS {
            return Err(ValueError::NumberTooLong);
        }
        return Ok(Cow::Borrowed(literal));
    }
    let number: f64 = literal.parse().map_err(|_| ValueError::NotFinite)?;
    let mut out = String::new();
    write_f64(&mut out, number)?;
    Ok(Cow::Owned(out))
}

/// Writes an integer.
pub(super) fn write_integer(out: &mut String, number: impl std::fmt::Display) {
    write!(out, "{number}").expect("writing to a String never fails");
}

/// Writes an `f32` so that reading the text gives the same `f32`: by its own shortest digits.
pub(super) fn write_f32(out: &mut String, number: f32) -> Result<(), ValueError> {
    let number: f64 = shortest(number, 7).parse().map_err(|_| ValueError::NotFinite)?;
    write_f64(out, number)
}

/// Writes an `f64`: as an integer where that says the same, else by its shortest digits.
pub(super) fn write_f64(out: &mut String, number: f64) -> Result<(), ValueError> {
    if !number.is_finite() {
        return Err(ValueError::NotFinite);
    }
    if number == 0.0 && number.is_sign_negative() {
        out.push_str("-0.0");
        return Ok(());
    }
    if number.abs() < EXACT && number.fract() == 0.0 {
        write_integer(out, number as i64);
        return Ok(());
    }
    let shortest = shortest(number.abs(), 15);
    let (digits, exponent) = shortest.split_once('e').expect("LowerExp writes an exponent");
    let exponent: i32 = exponent.parse().expect("LowerExp writes an integer exponent");
    let (first, rest) = digits.split_once('.').unwrap_or((digits, ""));
    if number.is_sign_negative() {
        out.push('-');
    }
    let zeros = |count: i32| std::iter::repeat_n('0', usize::try_from(count).unwrap_or(0));
    let behind = i32::try_from(rest.len()).expect("an f64 has at most 17 digits");
    match exponent {
        0..=15 if behind <= exponent => {
            out.push_str(first);
            out.push_str(rest);
            out.extend(zeros(exponent - behind));
            out.push_str(".0");
        }
        0..=15 => {
            let (whole, fraction) = rest.split_at(usize::try_from(exponent).unwrap_or(0));
            out.extend([first, whole, ".", fraction]);
        }
        -5..=-1 => {
            out.push_str("0.");
            out.extend(zeros(-exponent - 1));
            out.extend([first, rest]);
        }
        _ => {
            out.extend([digits, if exponent < 0 { "e" } else { "e+" }]);
            write_integer(out, exponent);
        }
    }
    Ok(())
}

/// The shortest digits that read back as the same float; of several, the closest; of two as close, the even ones.
///
/// The standard library does not promise the last rule. It can matter only from so many digits on.
fn shortest<T: LowerExp + FromStr + PartialEq + Copy>(number: T, ties_from: usize) -> String {
    let shortest = format!("{number:e}");
    let mantissa = shortest.split('e').next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    if digits >= ties_from {
        let even = format!("{number:.*e}", digits - 1);
        if even.parse().is_ok_and(|same: T| same == number) {
            return even;
        }
    }
    shortest
}

/// Compares two canonical numbers by what they are, exactly; equal ones (`1e+16` and its digits) by their spelling.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (left, right) = (Number::of(a), Number::of(b));
    let order = left.sign.cmp(&right.sign).then_with(|| {
        let order = left.size.cmp(&right.size);
        if left.sign < 0 { order.reverse() } else { order }
    });
    order.then_with(|| a.cmp(b))
}

struct Number<'a> {
    /// -1, 0 or 1.
    sign: i8,
    size: Size<'a>,
}

enum Size<'a> {
    /// Without sign and leading zeros.
    Digits(&'a str),
    /// Never NaN, never negative.
    Float(f64),
}

impl<'a> Number<'a> {
    fn of(text: &'a str) -> Self {
        let (negative, size) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let size = if size.bytes().all(|b| b.is_ascii_digit()) {
            Size::Digits(size)
        } else {
            Size::Float(size.parse().unwrap_or(0.0))
        };
        let zero = matches!(size, Size::Digits("0")) || matches!(size, Size::Float(x) if x == 0.0);
        let sign = match (zero, negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        Self { sign, size }
    }
}

impl Size<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Size::Digits(a), Size::Digits(b)) => compare_digits(a, b),
            (Size::Float(a), Size::Float(b)) => a.total_cmp(b),
            (Size::Digits(a), Size::Float(b)) => compare_mixed(a, *b),
            (Size::Float(a), Size::Digits(b)) => compare_mixed(b, *a).reverse(),
        }
    }
}

fn compare_digits(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// An integer against a float, through the float's exact decimal digits.
fn compare_mixed(integer: &str, float: f64) -> Ordering {
    let fraction = if float.fract() > 0.0 { Ordering::Less } else { Ordering::Equal };
    compare_digits(integer, &format!("{:.0}", float.trunc())).then(fraction)
}
