//! Enums whose values are written by name in the pipeline file.

/// An enum with a name for each value.
pub(super) trait Choice: Copy + 'static {
    /// Names and values.
    const VALUES: &'static [(&'static str, Self)];
}

/// Declares an enum, its names in the file, and `NAMES` for the table of keys.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// The names, as in a pipeline file.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// The name, as in a pipeline file.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl $crate::config::choice::Choice for $name {
            const VALUES: &'static [(&'static str, Self)] = &[$(($text, Self::$variant)),+];
        }
    };
}

pub(super) use choice;

/// Whether a value as written means this name.
pub(super) fn same_name(written: &str, name: &str) -> bool {
    let fold = |c: char| {
        if c == '_' {
            '-'
        } else {
            c.to_ascii_lowercase()
        }
    };
    written.chars().map(fold).eq(name.chars().map(fold))
}
