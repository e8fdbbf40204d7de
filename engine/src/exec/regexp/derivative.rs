//! Interned expressions and their derivatives.

use hashbrown::HashMap;
use parking_lot::Mutex;
use regex_syntax::utf8::Utf8Sequences;

/// Number of an interned expression.
pub(crate) type Expression = u32;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Shape {
    /// No text.
    Never,
    /// The empty text.
    Empty,
    /// One byte between two.
    Bytes(u8, u8),
    Concat(Expression, Expression),
    /// Ascending, at least two.
    Union(Vec<Expression>),
    /// Ascending, at least two.
    Intersection(Vec<Expression>),
    Repeat(Expression),
    Complement(Expression),
}

const NEVER: Expression = 0;
const EMPTY: Expression = 1;

/// Makes expressions.
#[derive(Debug)]
pub(crate) struct Builder {
    shapes: Vec<Shape>,
    /// Whether it accepts the empty text.
    nullable: Vec<bool>,
    known: HashMap<Shape, Expression>,
}

impl Builder {
    /// With the two smallest expressions.
    pub fn new() -> Builder {
        let mut builder = Builder {
            shapes: Vec::new(),
            nullable: Vec::new(),
            known: HashMap::new(),
        };
        builder.intern(Shape::Never);
        builder.intern(Shape::Empty);
        builder
    }

    fn intern(&mut self, shape: Shape) -> Expression {
        if let Some(known) = self.known.get(&shape) {
            return *known;
        }
        let nullable = match &shape {
            Shape::Never | Shape::Bytes(..) => false,
            Shape::Empty | Shape::Repeat(_) => true,
            Shape::Concat(a, b) => self.is_nullable(*a) && self.is_nullable(*b),
            Shape::Union(parts) => parts.iter().any(|part| self.is_nullable(*part)),
            Shape::Intersection(parts) => parts.iter().all(|part| self.is_nullable(*part)),
            Shape::Complement(inner) => !self.is_nullable(*inner),
        };
        let number = self.shapes.len() as Expression;
        self.shapes.push(shape.clone());
        self.nullable.push(nullable);
        self.known.insert(shape, number);
        number
    }

    fn is_nullable(&self, expression: Expression) -> bool {
        self.nullable[expression as usize]
    }

    /// Number of expressions made so far.
    pub fn len(&self) -> usize {
        self.shapes.len()
    }

    /// No text.
    pub fn never(&self) -> Expression {
        NEVER
    }

    /// The empty text.
    pub fn empty(&self) -> Expression {
        EMPTY
    }

    /// One character between two, ends included.
    pub fn range(&mut self, first: char, last: char) -> Expression {
        let mut alternatives = Vec::new();
        for sequence in Utf8Sequences::new(first, last) {
            let mut tail = EMPTY;
            for bytes in sequence.as_slice().iter().rev() {
                let one = self.intern(Shape::Bytes(bytes.start, bytes.end));
                tail = self.concat(one, tail);
            }
            alternatives.push(tail);
        }
        self.union(alternatives)
    }

    /// One character that is any of these ranges; or, negated, none.
    pub fn class(&mut self, ranges: &[(char, char)], negated: bool) -> Expression {
        let mut sorted = ranges.to_vec();
        if negated {
            sorted.sort_unstable();
            let mut gaps = Vec::new();
            let mut next = 0u32;
            for (first, last) in sorted {
                if u32::from(first) > next {
                    push_gap(&mut gaps, next, u32::from(first) - 1);
                }
                next = next.max(u32::from(last) + 1);
            }
            push_gap(&mut gaps, next, u32::from(char::MAX));
            sorted = gaps;
        }
        let mut alternatives = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            if first <= last {
                alternatives.push(self.range(first, last));
            }
        }
        self.union(alternatives)
    }

    /// Any one character.
    pub fn any_char(&mut self) -> Expression {
        self.range('\0', char::MAX)
    }

    /// Any text.
    pub fn any_text(&mut self) -> Expression {
        let any = self.any_char();
        self.repeat(any)
    }

    /// One behind the other.
    pub fn concat(&mut self, a: Expression, b: Expression) -> Expression {
        match (a, b) {
            (NEVER, _) | (_, NEVER) => NEVER,
            (EMPTY, other) | (other, EMPTY) => other,
            _ => {
                // to the right, so that equal texts have equal expressions; in a loop, since chains are long
                let mut firsts = Vec::new();
                let mut last = a;
                while let Shape::Concat(first, second) = self.shapes[last as usize] {
                    firsts.push(first);
                    last = second;
                }
                let mut chain = self.intern(Shape::Concat(last, b));
                for first in firsts.into_iter().rev() {
                    chain = self.intern(Shape::Concat(first, chain));
                }
                chain
            }
        }
    }

    /// Any of them.
    pub fn union(&mut self, parts: Vec<Expression>) -> Expression {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match &self.shapes[part as usize] {
                Shape::Never => {}
                Shape::Union(inner) => flat.extend_from_slice(inner),
                _ => flat.push(part),
            }
        }
        flat.sort_unstable();
        flat.dedup();
        match flat.as_slice() {
            [] => NEVER,
            [one] => *one,
            _ => self.intern(Shape::Union(flat)),
        }
    }

    /// All of them at once.
    pub fn intersection(&mut self, parts: Vec<Expression>) -> Expression {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match &self.shapes[part as usize] {
                Shape::Never => return NEVER,
                Shape::Intersection(inner) => flat.extend_from_slice(inner),
                _ => flat.push(part),
            }
        }
        flat.sort_unstable();
        flat.dedup();
        match flat.as_slice() {
            [] => NEVER,
            [one] => *one,
            _ => self.intern(Shape::Intersection(flat)),
        }
    }

    /// Any number of times, none included.
    pub fn repeat(&mut self, inner: Expression) -> Expression {
        match self.shapes[inner as usize] {
            Shape::Never | Shape::Empty => EMPTY,
            Shape::Repeat(_) => inner,
            _ => self.intern(Shape::Repeat(inner)),
        }
    }

    /// Everything else.
    pub fn complement(&mut self, inner: Expression) -> Expression {
        match self.shapes[inner as usize] {
            Shape::Complement(original) => original,
            _ => self.intern(Shape::Complement(inner)),
        }
    }

    /// What may follow after `byte`.
    fn derivative(&mut self, expression: Expression, byte: u8) -> Expression {
        match self.shapes[expression as usize].clone() {
            Shape::Never | Shape::Empty => NEVER,
            Shape::Bytes(first, last) => {
                if (first..=last).contains(&byte) {
                    EMPTY
                } else {
                    NEVER
                }
            }
            Shape::Concat(..) => {
                // parts that may be empty are walked over, not descended into: chains are long, stacks are not
                let mut alternatives = Vec::new();
                let mut at = expression;
                while let Shape::Concat(a, b) = self.shapes[at as usize] {
                    let rest = self.derivative(a, byte);
                    alternatives.push(self.concat(rest, b));
                    at = b;
                    if !self.is_nullable(a) {
                        return self.union(alternatives);
                    }
                }
                alternatives.push(self.derivative(at, byte));
                self.union(alternatives)
            }
            Shape::Union(parts) => {
                let mut rests = Vec::with_capacity(parts.len());
                for part in parts {
                    rests.push(self.derivative(part, byte));
                }
                self.union(rests)
            }
            Shape::Intersection(parts) => {
                let mut rests = Vec::with_capacity(parts.len());
                for part in parts {
                    rests.push(self.derivative(part, byte));
                }
                self.intersection(rests)
            }
            Shape::Repeat(inner) => {
                let rest = self.derivative(inner, byte);
                self.concat(rest, expression)
            }
            Shape::Complement(inner) => {
                let rest = self.derivative(inner, byte);
                self.complement(rest)
            }
        }
    }

    /// The automaton of an expression, of at most `states_max` expressions more.
    pub fn build(self, start: Expression, states_max: usize) -> Matcher {
        let limit = self.len().saturating_add(states_max);
        Matcher {
            start,
            limit,
            shapes: self.len(),
            machine: Mutex::new(Machine {
                builder: self,
                moves: HashMap::new(),
                overflowed: false,
            }),
        }
    }
}

fn push_gap(gaps: &mut Vec<(char, char)>, first: u32, last: u32) {
    // the surrogates, which are no characters, may be an end of a gap
    let first = match first {
        0xD800..=0xDFFF => 0xE000,
        other => other,
    };
    let last = match last {
        0xD800..=0xDFFF => 0xD7FF,
        other => other,
    };
    if first <= last
        && let (Some(first), Some(last)) = (char::from_u32(first), char::from_u32(last))
    {
        gaps.push((first, last));
    }
}

#[derive(Debug)]
struct Machine {
    builder: Builder,
    moves: HashMap<(Expression, u8), Expression>,
    overflowed: bool,
}

/// An automaton that grows while it is used.
#[derive(Debug)]
pub(crate) struct Matcher {
    start: Expression,
    limit: usize,
    /// Expressions that it was built of; the others came while it was used.
    shapes: usize,
    machine: Mutex<Machine>,
}

impl Matcher {
    /// What it was built of, written out: the same text, the same automaton.
    pub fn describe(&self) -> String {
        let machine = self.machine.lock();
        let shapes = &machine.builder.shapes[..self.shapes];
        format!("{} of {shapes:?}, {} at most", self.start, self.limit)
    }

    /// The first state.
    pub fn start(&self) -> u32 {
        self.start
    }

    /// Whether the text read so far is accepted.
    pub fn is_match(&self, state: u32) -> bool {
        self.machine.lock().builder.is_nullable(state)
    }

    /// The state after one more byte; `None`: nothing can be accepted any more.
    pub fn next(&self, state: u32, byte: u8) -> Option<u32> {
        let mut machine = self.machine.lock();
        let next = match machine.moves.get(&(state, byte)) {
            Some(next) => *next,
            None => {
                if machine.builder.len() >= self.limit {
                    machine.overflowed = true;
                    return None;
                }
                let next = machine.builder.derivative(state, byte);
                machine.moves.insert((state, byte), next);
                next
            }
        };
        (next != NEVER).then_some(next)
    }

    /// Whether the limit of states was reached, so that terms may have been missed.
    pub fn overflowed(&self) -> bool {
        self.machine.lock().overflowed
    }

    /// Whether it accepts a whole text.
    #[cfg(test)]
    pub fn accepts(&self, text: &str) -> bool {
        let mut state = self.start();
        for byte in text.bytes() {
            match self.next(state, byte) {
                Some(next) => state = next,
                None => return false,
            }
        }
        self.is_match(state)
    }
}
