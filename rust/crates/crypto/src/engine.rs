// SPDX-License-Identifier: Apache-2.0
//! The engines, their names, and which of them a machine has.

use std::env::{self, VarError};

use thiserror::Error;

use crate::p256::{self, Arithmetic};

/// The environment's variable that names the engine of every verifier that is told none.
const VARIABLE: &str = "FASTLEDGER_CRYPTO_ENGINE";

/// Why the engine that the environment names is not to be had.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum EngineError {
    /// Nothing has this name.
    #[error("{VARIABLE}: engine {0:?} is not one of auto, {names}", names = Engine::ALL.map(Engine::name).join(", "))]
    Unknown(String),
    /// This machine cannot run it.
    #[error("{VARIABLE}: this machine lacks the instructions of the engine {name}; auto takes one that it has", name = .0.name())]
    Lacking(Engine),
}

/// The code that does the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Eight signatures side by side in AVX-512 IFMA registers.
    Ifma,
    /// Eight signatures side by side in AVX-512 registers, for machines without IFMA.
    Avx512,
    /// Four signatures side by side in AVX registers, by IFMA's instructions without AVX-512. Taken only where it is asked
    /// for: no machine that has them has run it yet.
    AvxIfma,
    /// Four signatures side by side in AVX2 registers.
    Avx2,
    /// One signature after the other in 64-bit registers, on any machine.
    Portable,
    /// AWS-LC: the judge of the others.
    Library,
}

impl Engine {
    /// All engines, fastest first.
    pub const ALL: [Self; 6] = [Self::Ifma, Self::Avx512, Self::AvxIfma, Self::Avx2, Self::Portable, Self::Library];

    /// The engine's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ifma => "ifma",
            Self::Avx512 => "avx512",
            Self::AvxIfma => "avx_ifma",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
            Self::Library => "library",
        }
    }

    /// The engine with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.name() == name)
    }

    /// The engine that the environment names; `None` where it says nothing, or auto.
    ///
    /// # Errors
    /// [`EngineError`] if it asks for what is not to be had. Verifiers then take the fastest: whoever starts a program
    /// asks here first.
    pub fn from_environment() -> Result<Option<Self>, EngineError> {
        let name = match env::var(VARIABLE) {
            Ok(name) => name,
            Err(VarError::NotPresent) => return Ok(None),
            Err(VarError::NotUnicode(bytes)) => bytes.to_string_lossy().into_owned(),
        };
        if name == "auto" {
            return Ok(None);
        }
        let engine = Self::named(&name).ok_or(EngineError::Unknown(name))?;
        if engine.is_available() { Ok(Some(engine)) } else { Err(EngineError::Lacking(engine)) }
    }

    /// Whether this machine can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        self == Self::Library || self.arithmetic().is_some()
    }

    /// The fastest that this machine has, of those that have been run somewhere.
    #[must_use]
    pub(crate) fn fastest() -> Self {
        let mut tried = Self::ALL.into_iter().filter(|engine| *engine != Self::AvxIfma);
        tried.find(|engine| engine.is_available()).unwrap_or(Self::Library)
    }

    /// What does its work, if it is not the library and the machine has the instructions.
    pub(crate) fn arithmetic(self) -> Option<&'static dyn Arithmetic> {
        match self {
            Self::Ifma => p256::ifma(),
            Self::Avx512 => p256::avx512(),
            Self::AvxIfma => p256::avx_ifma(),
            Self::Avx2 => p256::avx2(),
            Self::Portable => Some(p256::portable()),
            Self::Library => None,
        }
    }

    /// The uses of a key that cost as much more without its table as the table costs: measured, see benches.
    pub(crate) const fn worth(self) -> u32 {
        match self {
            Self::Ifma | Self::Avx512 | Self::AvxIfma | Self::Avx2 => 24,
            Self::Portable | Self::Library => 15,
        }
    }
}
