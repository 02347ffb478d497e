//! The words of policies, and sets of them.

/// One thing that a rule can grant, or the word that takes all of them away. Ordered as the words are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Write what is not there yet.
    Create,
    /// Delete.
    Delete,
    /// Nothing at all, whatever else is granted for the same path.
    Deny,
    /// List.
    List,
    /// Change a part.
    Patch,
    /// Read.
    Read,
    /// List with everything below. No operation asks for it yet.
    Scan,
    /// What paths that are protected ask for besides the capability of the operation.
    Sudo,
    /// Write what is there.
    Update,
}

impl Capability {
    /// All of them, in the order of their words.
    pub const ALL: [Self; 9] = [
        Self::Create,
        Self::Delete,
        Self::Deny,
        Self::List,
        Self::Patch,
        Self::Read,
        Self::Scan,
        Self::Sudo,
        Self::Update,
    ];

    /// The word in policies and answers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Deny => "deny",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Read => "read",
            Self::Scan => "scan",
            Self::Sudo => "sudo",
            Self::Update => "update",
        }
    }

    /// The capability of a word; letter case matters.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.word() == word)
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of capabilities. With [`Capability::Deny`] in it, it holds nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u16);

impl Capabilities {
    /// With one more. Denial takes all others away and keeps later ones out.
    #[must_use]
    pub fn with(self, capability: Capability) -> Self {
        self.union(Self(capability.bit()))
    }

    /// Of two rules for the same path.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let both = Self(self.0 | other.0);
        if both.contains(Capability::Deny) { Self(Capability::Deny.bit()) } else { both }
    }

    /// Whether this one is in the set.
    pub fn contains(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// Whether the set grants anything.
    pub fn grants(self) -> bool {
        self.0 & !Capability::Deny.bit() != 0
    }

    /// The members in the order of their words.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.contains(*capability))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(members: I) -> Self {
        members.into_iter().fold(Self::default(), Self::with)
    }
}
