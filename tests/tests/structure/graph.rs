//! Circles in a graph.

use std::collections::{BTreeMap, BTreeSet};

/// Directed graph whose nodes have names.
#[derive(Debug, Default)]
pub(crate) struct Graph<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Graph<'a> {
    pub(crate) fn add(&mut self, from: &'a str, to: &'a str) {
        self.0.entry(from).or_default().insert(to);
        self.0.entry(to).or_default();
    }

    /// Returns the groups of nodes that can reach each other, each in alphabetical order.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<&'a str>> {
        let reached: BTreeMap<_, _> = self.0.keys().map(|node| (*node, self.reach(node))).collect();
        let mut circles: Vec<BTreeSet<&str>> = Vec::new();
        for (node, reach) in &reached {
            if !reach.contains(node) || circles.iter().any(|circle| circle.contains(node)) {
                continue;
            }
            circles.push(
                reach.iter().copied().filter(|other| reached[other].contains(node)).collect(),
            );
        }
        circles
    }

    /// Returns the nodes that one or more steps from `start` lead to.
    fn reach(&self, start: &str) -> BTreeSet<&'a str> {
        let mut reach = BTreeSet::new();
        let mut open: Vec<&str> = self.0[start].iter().copied().collect();
        while let Some(node) = open.pop() {
            if reach.insert(node) {
                open.extend(&self.0[node]);
            }
        }
        reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_among_nodes_that_lead_to_it_and_away_from_it() {
        let mut graph = Graph::default();
        for (from, to) in
            [("in", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "out"), ("x", "y")]
        {
            graph.add(from, to);
        }
        assert_eq!(graph.circles(), [BTreeSet::from(["a", "b", "c"])]);
    }

    #[test]
    fn a_graph_whose_edges_point_one_way_has_no_circle() {
        let mut graph = Graph::default();
        for (from, to) in [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")] {
            graph.add(from, to);
        }
        assert!(graph.circles().is_empty());
    }
}
