//! Turns an input map into a handler's struct, with Vault's leniencies and errors that name the field, never its value.
//!
//! A field that was sent is present even when it is null or empty: `Option` fields are `Some` then. Texts become
//! numbers and booleans, numbers become texts, as the clients expect (reference §1.3, core §1.4).
//! The reference converts for what it loads otherwise than for what is built into it: see [`Dialect`].

use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};

/// Input that does not fit the endpoint's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    field: Option<String>,
    reason: String,
    missing: bool,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) if self.missing => write!(f, "missing required field \"{field}\""),
            Some(field) => write!(
                f,
                "Field validation failed: error converting input for field \"{field}\": {}",
                self.reason
            ),
            None => write!(f, "Field validation failed: {}", self.reason),
        }
    }
}

impl std::error::Error for FieldError {}

impl serde::de::Error for FieldError {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self { field: None, reason: reason.to_string(), missing: false }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { field: Some(field.to_owned()), reason: String::new(), missing: true }
    }
}

impl FieldError {
    /// Whether a field that was sent does not fit, and how: the text without its introduction.
    pub(crate) fn conversion(&self) -> Option<String> {
        let field = self.field.as_ref().filter(|_| !self.missing)?;
        Some(format!("error converting input for field \"{field}\": {}", self.reason))
    }
}

impl FieldError {
    /// As it is told of a query, where a list can only be of texts.
    pub(crate) fn of_a_query(mut self) -> Self {
        self.reason = self.reason.replace("'[]interface {}'", "'[]string'");
        self
    }
}

/// How leniently numbers are read, and the words of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Of what is built into the reference: a fraction is no integer, and of numbers only 0 and 1 are booleans.
    #[default]
    BuiltIn,
    /// Of what the reference loads: numbers arrive as floats, so fractions are cut and every number is a boolean.
    Loaded,
}

impl Dialect {
    /// That a text or number is not of the type that a field has.
    fn misread<T>(self, kind: &str, why: &str) -> Result<T, FieldError> {
        match self {
            Self::BuiltIn => refuse(format_args!("'' cannot parse value as '{kind}': {why}")),
            Self::Loaded => refuse(format_args!("cannot parse '' as {kind}: {why}")),
        }
    }

    /// The words of this dialect for a refusal of a list or of pairs.
    fn worded(self, reason: String, field: &str) -> String {
        match self {
            Self::BuiltIn if reason == "invalid key pair" => {
                format!("{reason} at index 0 in field \"{field}\"")
            }
            Self::BuiltIn => match reason.strip_prefix("1 error(s) decoding:\n\n* ") {
                Some(rest) => format!("decoding failed due to the following error(s):\n\n{rest}"),
                None => reason,
            },
            Self::Loaded => reason,
        }
    }
}

/// Reads `input` as `P`; the first field that does not fit is named.
pub fn decode<P: DeserializeOwned>(input: Map<String, Value>) -> Result<P, FieldError> {
    decode_as(input, Dialect::default())
}

/// The same in a dialect.
pub(crate) fn decode_as<P: DeserializeOwned>(
    input: Map<String, Value>,
    dialect: Dialect,
) -> Result<P, FieldError> {
    P::deserialize(Input(input, dialect))
}

/// The name under which a value is asked for as it was sent, and comes as JSON: serde would have numbers rewritten.
const AS_SENT: &str = "$vestal::AsSent";

/// Reads a value of a client's own, whose numbers keep their text.
pub(crate) fn as_sent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    struct AsSent;

    impl<'de> Visitor<'de> for AsSent {
        type Value = Value;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON value")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
            crate::json::stored(text.as_bytes()).map_err(E::custom)
        }

        /// Other deserializers than ours.
        fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
            serde::Deserialize::deserialize(deserializer)
        }
    }

    deserializer.deserialize_newtype_struct(AS_SENT, AsSent)
}

struct Input(Map<String, Value>, Dialect);

impl<'de> Deserializer<'de> for Input {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_map(InputFields { rest: self.0.into_iter(), current: None, dialect: self.1 })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        if name == AS_SENT {
            return visitor.visit_string(Value::Object(self.0).to_string());
        }
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct InputFields {
    rest: serde_json::map::IntoIter,
    current: Option<(String, Value)>,
    dialect: Dialect,
}

impl<'de> MapAccess<'de> for InputFields {
    type Error = FieldError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, FieldError> {
        self.current = self.rest.next();
        let Some((name, _)) = &self.current else { return Ok(None) };
        let name: StringDeserializer<FieldError> = name.clone().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, FieldError> {
        let Some((name, value)) = self.current.take() else {
            return Err(serde::de::Error::custom("a value without its name"));
        };
        let dialect = self.dialect;
        let value = if dialect == Dialect::Loaded { with_plain_numbers(value) } else { value };
        seed.deserialize(Lenient(value, dialect)).map_err(|failure| {
            let reason = dialect.worded(failure.reason, &name);
            FieldError { field: Some(failure.field.unwrap_or(name)), reason, ..failure }
        })
    }
}

/// What is loaded into the reference gets numbers as floats, so as text they have their shortest digits and no exponent:
/// `1000.0` and `1e3` are `1000`. Integers keep all of their digits, which floats would lose.
fn with_plain_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(plain(number)),
        Value::Array(items) => items.into_iter().map(with_plain_numbers).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, with_plain_numbers(value))).collect()
        }
        other => other,
    }
}

fn plain(number: Number) -> Number {
    let text = number.to_string();
    if !text.contains(['.', 'e', 'E']) {
        return number;
    }
    let float = text.parse::<f64>().ok().filter(|float| float.is_finite());
    float.and_then(|float| float.to_string().parse().ok()).unwrap_or(number)
}

/// One value, read as leniently as Vault's clients expect.
struct Lenient(Value, Dialect);

fn refuse<T>(reason: impl fmt::Display) -> Result<T, FieldError> {
    Err(serde::de::Error::custom(reason))
}

/// The name that Go gives the type, as the reference's texts do.
pub(crate) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(_) => "json.Number",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

impl Lenient {
    fn text(self) -> Result<String, FieldError> {
        match self.0 {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(true) => Ok("1".to_owned()),
            Value::Bool(false) => Ok("0".to_owned()),
            Value::Null => Ok(String::new()),
            other => refuse(format_args!(
                "'' expected type 'string', got unconvertible type '{}'",
                go_type(&other)
            )),
        }
    }

    fn boolean(&self) -> Result<bool, FieldError> {
        match &self.0 {
            Value::Bool(value) => Ok(*value),
            Value::Null => Ok(false),
            Value::Number(number) if self.1 == Dialect::Loaded => Ok(number.as_f64() != Some(0.0)),
            Value::Number(number) => match number.to_string().as_str() {
                "1" => Ok(true),
                "0" => Ok(false),
                _ => self.1.misread("bool", "strconv.ParseBool: invalid syntax"),
            },
            Value::String(text) => match text.as_str() {
                "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
                "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
                _ => self.1.misread("bool", "strconv.ParseBool: invalid syntax"),
            },
            other => {
                refuse(format_args!("'' expected type 'bool', got unconvertible type '{}'", go_type(other)))
            }
        }
    }

    fn integer(&self) -> Result<i64, FieldError> {
        match &self.0 {
            Value::Bool(value) => Ok(i64::from(*value)),
            Value::Null => Ok(0),
            Value::Number(number) if self.1 == Dialect::Loaded => whole_number(&number.to_string())
                .map_or_else(|| self.1.misread("int", "strconv.ParseInt: value out of range"), Ok),
            Value::Number(number) => number
                .to_string()
                .parse()
                .or_else(|_| self.1.misread("int", "strconv.ParseInt: invalid syntax")),
            Value::String(text) if text.is_empty() => Ok(0),
            Value::String(text) => prefixed_integer(text)
                .map_or_else(|| self.1.misread("int", "strconv.ParseInt: invalid syntax"), Ok),
            other => {
                refuse(format_args!("'' expected type 'int', got unconvertible type '{}'", go_type(other)))
            }
        }
    }

    fn float(&self) -> Result<f64, FieldError> {
        match &self.0 {
            Value::Bool(value) => Ok(f64::from(u8::from(*value))),
            Value::Null => Ok(0.0),
            Value::Number(number) => finite(&number.to_string(), self.1),
            Value::String(text) if text.is_empty() => Ok(0.0),
            Value::String(text) => finite(text, self.1),
            other => refuse(format_args!(
                "'' expected type 'float64', got unconvertible type '{}'",
                go_type(other)
            )),
        }
    }
}

/// `NaN` and `Inf` are refused here: the reference takes them and then fails at storing.
fn finite(text: &str, dialect: Dialect) -> Result<f64, FieldError> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => dialect.misread("float", "strconv.ParseFloat: invalid syntax"),
    }
}

/// A JSON number with its fraction cut, or `None` when it is beyond 64 bits.
pub(crate) fn whole_number(text: &str) -> Option<i64> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let value: f64 = text.parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "the bounds are what is being compared")]
    let fits = value.trunc() >= i64::MIN as f64 && value.trunc() < i64::MAX as f64;
    #[expect(clippy::cast_possible_truncation, reason = "the fraction is to be cut, the range was checked")]
    fits.then_some(value.trunc() as i64)
}

/// Base 10, `0x`, `0o`, `0b`, or a leading 0 for octal, with a sign.
fn prefixed_integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, lower.get(2..)?),
        [b'0', b'o', ..] => (8, lower.get(2..)?),
        [b'0', b'b', ..] => (2, lower.get(2..)?),
        [b'0', _, ..] => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    if !digits.bytes().next()?.is_ascii_alphanumeric() {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

macro_rules! lenient_integers {
    ([$($signed:ident)*] [$($unsigned:ident)*]) => {
        $(fn $signed<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
            visitor.visit_i64(self.integer()?)
        })*
        $(fn $unsigned<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
            let value = self.integer()?;
            match u64::try_from(value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => refuse(format_args!("cannot provide negative value '{value}'")),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Lenient {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.0.deserialize_any(visitor) {
            Ok(value) => Ok(value),
            Err(error) => refuse(without_value(&error.to_string())),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_bool(self.boolean()?)
    }

    lenient_integers! {
        [deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128]
        [deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128]
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        if name == AS_SENT {
            return visitor.visit_string(self.0.to_string());
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter(), self.1)),
            other => refuse(format_args!("expected a list, got '{}'", go_type(&other))),
        }
    }

    serde::forward_to_deserialize_any! {
        char bytes byte_buf unit unit_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// What serde says of a value that does not fit quotes the value, which may be secret. What it expected stands last.
fn without_value(text: &str) -> String {
    let quotes = ["invalid type: ", "invalid value: ", "unknown variant ", "unknown field "];
    match text.rsplit_once(", expected ") {
        Some((_, expected)) if quotes.iter().any(|quote| text.starts_with(quote)) => {
            format!("expected {expected}")
        }
        _ => text.to_owned(),
    }
}

struct Items(std::vec::IntoIter<Value>, Dialect);

impl<'de> SeqAccess<'de> for Items {
    type Error = FieldError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, FieldError> {
        let dialect = self.1;
        self.0.next().map(|item| seed.deserialize(Lenient(item, dialect))).transpose()
    }
}
