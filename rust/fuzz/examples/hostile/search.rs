// SPDX-License-Identifier: Apache-2.0
//! Looks for the dearest block: changes recipes at random, and goes on from those that cost most.

use std::time::{Duration, Instant};

use fastledger_fuzz::tree::Random;

use crate::process;
use crate::recipe::{Kind, MOST, Part, Recipe};

/// Blocks that were dearest once; every search begins with them.
const SEEDS: &str = include_str!("seeds.txt");

/// Recipes from which the search goes on.
const KEPT: usize = 12;

/// Smaller blocks count as so large: opening and committing a block costs the same whatever is in it.
const LEAST_BYTES: f64 = 100_000.0;

/// How many times the time of an ordinary block, for each byte, a block may take.
pub const MOST_TIMES: f64 = 50.0;

/// How many times its size, and that of the blocks which it builds on, a block may take in memory.
pub const MOST_MEMORY: f64 = 40.0;

/// What a block came to.
#[derive(Debug, Clone)]
pub struct Cost {
    pub recipe: Recipe,
    pub bytes: f64,
    /// Beside the time for each byte of an ordinary block.
    pub times: f64,
    /// Beside its size and that of the blocks before.
    pub memory: f64,
}

impl Cost {
    /// The larger share of its bound.
    fn score(&self) -> f64 {
        (self.times / MOST_TIMES).max(self.memory / MOST_MEMORY)
    }

    pub fn line(&self) -> String {
        format!("{:9.3} MB {:8.1} times {:8.1} in memory  {}", self.bytes / 1e6, self.times, self.memory, self.recipe)
    }
}

/// Measures the recipes that are kept as seeds.
pub fn seeds() {
    let ordinary = ordinary();
    for line in SEEDS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let recipe: Recipe = line.parse().expect("a seed is a recipe");
        match measure(&recipe, ordinary) {
            Some(cost) => println!("{}", cost.line()),
            None => println!("died or hangs: {recipe}"),
        }
    }
}

/// Searches for so long, and prints the dearest of all.
pub fn search(seed: u64, duration: Duration) {
    let start = Instant::now();
    let ordinary = ordinary();
    let mut cook = Cook(Random::new(seed));
    let recipes = SEEDS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut best: Vec<Cost> = Vec::new();
    let mut pending: Vec<Recipe> = recipes.map(|line| line.parse().expect("a seed is a recipe")).collect();
    let mut tried = 0;
    while start.elapsed() < duration {
        let recipe = pending.pop().unwrap_or_else(|| cook.recipe(&best));
        tried += 1;
        let Some(cost) = measure(&recipe, ordinary) else {
            println!("died or hangs: {recipe}");
            continue;
        };
        if best.iter().any(|known| known.recipe == cost.recipe) {
            continue;
        }
        if best.first().is_none_or(|first| cost.score() > first.score()) {
            println!("{}", cost.line());
        }
        best.push(cost);
        best.sort_by(|one, other| other.score().total_cmp(&one.score()));
        best.truncate(KEPT);
    }
    println!("the dearest of {tried}:");
    best.iter().for_each(|cost| println!("{}", cost.line()));
}

/// Seconds that an ordinary block takes for each byte.
fn ordinary() -> f64 {
    let times: Vec<f64> =
        (0..3).filter_map(|_| process::measure(&["good"])).map(|spent| spent.seconds / spent.bytes).collect();
    times.into_iter().fold(f64::INFINITY, f64::min)
}

/// What a recipe costs; none if it does not end.
fn measure(recipe: &Recipe, ordinary: f64) -> Option<Cost> {
    let spent = process::measure(&["recipe", &recipe.to_string()])?;
    let counted = spent.bytes.max(LEAST_BYTES);
    let (times, memory) = (spent.seconds / counted / ordinary, spent.memory / (counted + spent.earlier));
    Some(Cost { recipe: recipe.clone(), bytes: spent.bytes, times, memory })
}

/// Makes recipes, of which the seed and what the others cost decide all.
struct Cook(Random);

impl Cook {
    fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound)
    }

    /// As often small as large.
    fn size(&mut self, most: u32) -> u32 {
        let bits = self.below(most.ilog2() as usize + 2);
        (self.0.number() & ((1 << bits) - 1)).min(most.into()) as u32
    }

    fn part(&mut self) -> Part {
        let (kind, _) = Kind::ALL[self.below(Kind::ALL.len())];
        Part { kind, sizes: MOST.map(|most| self.size(most)) }.bounded()
    }

    fn recipe(&mut self, best: &[Cost]) -> Recipe {
        if best.is_empty() || self.below(6) == 0 {
            let blocks = 1 + self.below(3);
            return Recipe((0..blocks).map(|_| vec![self.part()]).collect());
        }
        let mut recipe = best[self.below(best.len())].recipe.clone();
        for _ in 0..=self.below(3) {
            self.change(&mut recipe, best);
        }
        recipe
    }

    fn change(&mut self, recipe: &mut Recipe, best: &[Cost]) {
        let block = self.below(recipe.0.len());
        let part = self.below(recipe.0[block].len());
        match self.below(8) {
            0 if recipe.0[block].len() < 4 => {
                let new = self.part();
                recipe.0[block].push(new);
            }
            1 if recipe.0[block].len() > 1 => drop(recipe.0[block].remove(part)),
            2 if recipe.0.len() < 4 => {
                let new = self.part();
                recipe.0.insert(block, vec![new]);
            }
            3 if recipe.0.len() > 1 => drop(recipe.0.remove(block)),
            4 => {
                let other = &best[self.below(best.len())].recipe;
                let donor = &other.0[self.below(other.0.len())];
                recipe.0[block][part] = donor[self.below(donor.len())].clone();
            }
            _ => {
                let part = &mut recipe.0[block][part];
                let which = self.below(MOST.len());
                part.sizes[which] = match self.below(3) {
                    0 => self.size(MOST[which]),
                    1 => part.sizes[which].saturating_mul(2).saturating_add(1),
                    _ => part.sizes[which] / 2,
                };
                *part = part.clone().bounded();
            }
        }
    }
}
