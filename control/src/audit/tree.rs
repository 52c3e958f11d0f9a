//! The RFC 6962 tree over all records: hashing, the growing right edge, roots and proofs.
//!
//! Nodes are kept in tiles of eight levels (C2SP tlog-tiles): entry `i` of tile level `l` is the root of
//! the complete subtree over leaves `i * 256^l` up to `(i + 1) * 256^l`.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};

pub type Hash = [u8; 32];

/// Entries of a full tile.
pub const TILE_ENTRIES: usize = 256;
pub const TILE_HEIGHT: u32 = 8;

/// The hash of one record.
pub fn leaf_hash(record: &[u8]) -> Hash {
    sha256(&[&[0], record])
}

pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The root of a tree without leaves.
pub fn empty_root() -> Hash {
    sha256(&[])
}

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    let digest = context.finish();
    if digest.as_ref().len() == hash.len() {
        hash.copy_from_slice(digest.as_ref());
    }
    hash
}

/// The root over these hashes as RFC 6962 splits them.
pub fn subtree_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [one] => *one,
        more => {
            let half = more.len().div_ceil(2).next_power_of_two();
            let (left, right) = more.split_at_checked(half).unwrap_or((more, &[]));
            node_hash(&subtree_root(left), &subtree_root(right))
        }
    }
}

/// Where a tile stands in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileId {
    pub level: u8,
    pub index: u64,
}

/// A tile that has all its entries and will never change.
#[derive(Clone, Debug)]
pub struct FullTile {
    pub id: TileId,
    pub hashes: Arc<[Hash]>,
}

/// The growing right edge of the tree: the last, unfinished tile of every level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// Invariant: level `l` holds the entries of its unfinished tile, fewer than `TILE_ENTRIES`.
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn levels(&self) -> &[Vec<Hash>] {
        &self.levels
    }

    /// Puts an edge together again; `None` if its parts do not make a tree of that size.
    pub fn from_parts(size: u64, levels: Vec<Vec<Hash>>) -> Option<Edge> {
        let mut rest = size;
        for level in &levels {
            if level.len() as u64 != rest % TILE_ENTRIES as u64 {
                return None;
            }
            rest /= TILE_ENTRIES as u64;
        }
        (rest == 0).then_some(Edge { size, levels })
    }

    /// Adds a leaf and pushes every tile that it completes.
    pub fn push(&mut self, leaf: Hash, full: &mut Vec<FullTile>) {
        self.size += 1;
        let mut entry = leaf;
        let mut entries_before = self.size - 1;
        for level in 0_u8.. {
            let depth = usize::from(level);
            if self.levels.len() == depth {
                self.levels.push(Vec::with_capacity(TILE_ENTRIES));
            }
            let Some(tile) = self.levels.get_mut(depth) else {
                return;
            };
            tile.push(entry);
            if tile.len() < TILE_ENTRIES {
                return;
            }
            let hashes: Arc<[Hash]> = std::mem::take(tile).into();
            entry = subtree_root(&hashes);
            entries_before /= TILE_ENTRIES as u64;
            full.push(FullTile {
                id: TileId {
                    level,
                    index: entries_before,
                },
                hashes,
            });
        }
    }

    /// The root of the whole tree.
    pub fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for tile in &self.levels {
            let mut rest = tile.as_slice();
            while !rest.is_empty() {
                let width = 1 << rest.len().trailing_zeros();
                let (before, subtree) = rest.split_at_checked(rest.len() - width).unwrap_or((&[], rest));
                let left = subtree_root(subtree);
                root = Some(root.map_or(left, |right| node_hash(&left, &right)));
                rest = before;
            }
        }
        root.unwrap_or_else(empty_root)
    }
}

/// A full tile that a proof needs is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hash tile {}/{} is not there", .0.level, .0.index)]
pub struct MissingTile(pub TileId);

/// A tree that can be asked: its edge, and a way to its full tiles.
pub struct Tree<'a, Tiles> {
    pub edge: &'a Edge,
    pub tiles: Tiles,
}

impl<Tiles: Fn(TileId) -> Result<Arc<[Hash]>, MissingTile>> Tree<'_, Tiles> {
    pub fn leaf(&self, index: u64) -> Result<Hash, MissingTile> {
        self.node(0, index)
    }

    /// The root that the tree had when it was `size` long.
    pub fn root_at(&self, size: u64) -> Result<Hash, MissingTile> {
        if size == self.edge.size {
            Ok(self.edge.root())
        } else {
            self.range(0, size)
        }
    }

    /// RFC 6962, 2.1.1: that `index` is in the tree of `size`.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, MissingTile> {
        let (mut start, mut end) = (0, size);
        let mut proof = Vec::new();
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                proof.push(self.range(middle, end)?);
                end = middle;
            } else {
                proof.push(self.range(start, middle)?);
                start = middle;
            }
        }
        proof.reverse();
        Ok(proof)
    }

    /// RFC 6962, 2.1.2: that the tree of `from` is the beginning of the tree of `to`. Empty when nothing
    /// has to be proved: from an empty tree, or from the same.
    pub fn consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>, MissingTile> {
        let mut proof = Vec::new();
        if from == 0 || from >= to {
            return Ok(proof);
        }
        let (mut start, mut end) = (0, to);
        // Invariant: the old tree ends inside (start, end]; while it covers `start` from the beginning of
        // the tree, its own root is known to the verifier and need not be sent.
        let mut known = true;
        while from != end {
            let middle = start + split(end - start);
            if from <= middle {
                proof.push(self.range(middle, end)?);
                end = middle;
            } else {
                proof.push(self.range(start, middle)?);
                start = middle;
                known = false;
            }
        }
        if !known {
            proof.push(self.range(start, end)?);
        }
        proof.reverse();
        Ok(proof)
    }

    /// The root over the leaves `start..end`, where `start` is a multiple of the greatest power of two
    /// below the width, as every split of RFC 6962 makes it.
    fn range(&self, start: u64, end: u64) -> Result<Hash, MissingTile> {
        let width = end.saturating_sub(start);
        if width == 0 {
            return Ok(empty_root());
        }
        if width.is_power_of_two() {
            let height = width.trailing_zeros();
            return self.node(height, start >> height);
        }
        let middle = start + split(width);
        Ok(node_hash(&self.range(start, middle)?, &self.range(middle, end)?))
    }

    fn node(&self, height: u32, index: u64) -> Result<Hash, MissingTile> {
        let level = u8::try_from(height / TILE_HEIGHT).unwrap_or(u8::MAX);
        let inside = height % TILE_HEIGHT;
        let first = index << inside;
        let id = TileId {
            level,
            index: first / TILE_ENTRIES as u64,
        };
        let missing = || MissingTile(id);
        let offset = usize::try_from(first % TILE_ENTRIES as u64).map_err(|_| missing())?;
        let finished = self
            .edge
            .size
            .checked_shr(TILE_HEIGHT * (u32::from(level) + 1))
            .unwrap_or(0);
        if id.index >= finished {
            let tile = self.edge.levels.get(usize::from(level)).ok_or_else(missing)?;
            return tile
                .get(offset..offset + (1 << inside))
                .map(subtree_root)
                .ok_or_else(missing);
        }
        let tile = (self.tiles)(id)?;
        tile.get(offset..offset + (1 << inside))
            .map(subtree_root)
            .ok_or_else(missing)
    }
}

/// The greatest power of two smaller than `width`, for `width` of at least 2.
fn split(width: u64) -> u64 {
    1 << (63 - (width.max(2) - 1).leading_zeros())
}

/// RFC 9162, 2.1.3.2: whether a proof leads from a leaf at `place`, its index and the tree's size, to the root.
pub fn is_included(place: (u64, u64), leaf: Hash, proof: &[Hash], root: &Hash) -> bool {
    let (mut node, size) = place;
    if node >= size {
        return false;
    }
    let mut last = size - 1;
    let mut hash = leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// RFC 9162, 2.1.4.2: whether a proof shows that the old tree is the beginning of the new one.
pub fn is_consistent(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((from, old_root), (to, new_root)) = (old, new);
    if from == 0 || from == to {
        return proof.is_empty() && (from == 0 || old_root == new_root);
    }
    let mut proof = proof.iter();
    let seed = if from.is_power_of_two() {
        Some(old_root)
    } else {
        proof.next()
    };
    let (Some(&seed), true) = (seed, from < to) else {
        return false;
    };
    let (mut node, mut last) = (from - 1, to - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut before, mut after) = (seed, seed);
    for hash in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            before = node_hash(hash, &before);
            after = node_hash(hash, &after);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            after = node_hash(&after, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && before == *old_root && after == *new_root
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// The reference: RFC 6962, 2.1, by its own words.
    fn merkle_tree_hash(leaves: &[Hash]) -> Hash {
        match leaves.len() {
            0 => empty_root(),
            1 => leaves[0],
            n => {
                let mut k = 1;
                while k * 2 < n {
                    k *= 2;
                }
                node_hash(&merkle_tree_hash(&leaves[..k]), &merkle_tree_hash(&leaves[k..]))
            }
        }
    }

    fn hex(hash: &[u8]) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    struct Grown {
        leaves: Vec<Hash>,
        edge: Edge,
        tiles: HashMap<TileId, Arc<[Hash]>>,
    }

    impl Grown {
        fn of(records: &[Vec<u8>]) -> Grown {
            let (mut edge, mut full) = (Edge::default(), Vec::new());
            let leaves: Vec<Hash> = records.iter().map(|record| leaf_hash(record)).collect();
            for leaf in &leaves {
                edge.push(*leaf, &mut full);
            }
            let tiles = full.into_iter().map(|tile| (tile.id, tile.hashes)).collect();
            Grown { leaves, edge, tiles }
        }

        fn tree(&self) -> Tree<'_, impl Fn(TileId) -> Result<Arc<[Hash]>, MissingTile>> {
            Tree {
                edge: &self.edge,
                tiles: |id| self.tiles.get(&id).cloned().ok_or(MissingTile(id)),
            }
        }
    }

    /// The seven-leaf and eight-leaf vectors that Certificate Transparency's own tests use.
    const CT_LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let known = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let records: Vec<Vec<u8>> = CT_LEAVES.iter().map(|leaf| leaf.to_vec()).collect();
        for (count, root) in (1..).zip(known) {
            let grown = Grown::of(&records[..count]);
            assert_eq!(hex(&grown.edge.root()), root, "{count}");
        }
        assert_eq!(
            hex(&Grown::of(&[]).edge.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn consistency_proofs_are_those_of_certificate_transparency() {
        let records: Vec<Vec<u8>> = CT_LEAVES.iter().map(|leaf| leaf.to_vec()).collect();
        let grown = Grown::of(&records);
        let proof = |from, to| -> Vec<String> {
            grown
                .tree()
                .consistency(from, to)
                .unwrap()
                .iter()
                .map(|hash| hex(hash))
                .collect()
        };
        assert_eq!(proof(1, 1), Vec::<String>::new());
        assert_eq!(
            proof(1, 8),
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ]
        );
        assert_eq!(
            proof(6, 8),
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    #[test]
    fn every_size_has_the_reference_root_and_proofs_that_verify() {
        let records: Vec<Vec<u8>> = (0..70_000_u32).map(|n| n.to_be_bytes().to_vec()).collect();
        let grown = Grown::of(&records);
        let sizes = [
            1, 2, 3, 5, 8, 255, 256, 257, 300, 511, 512, 513, 65_535, 65_536, 65_537, 69_999, 70_000,
        ];
        let roots: HashMap<u64, Hash> = sizes
            .into_iter()
            .map(|size| {
                (
                    size,
                    merkle_tree_hash(&grown.leaves[..usize::try_from(size).unwrap()]),
                )
            })
            .collect();
        let root = |size: u64| roots[&size];
        for from in sizes {
            assert_eq!(grown.tree().root_at(from).unwrap(), root(from), "{from}");
            for to in sizes.into_iter().filter(|to| *to >= from) {
                let proof = grown.tree().consistency(from, to).unwrap();
                assert!(
                    is_consistent((from, &root(from)), (to, &root(to)), &proof),
                    "{from} {to}"
                );
                assert!(from == to || !is_consistent((from, &[0; 32]), (to, &root(to)), &proof));
                assert!(from == to || !is_consistent((from, &root(from)), (to, &[0; 32]), &proof));
            }
        }
    }

    #[test]
    fn an_inclusion_proof_leads_from_the_leaf_to_the_root() {
        let records: Vec<Vec<u8>> = (0..700_u32).map(|n| n.to_be_bytes().to_vec()).collect();
        let grown = Grown::of(&records);
        for index in [0, 1, 255, 256, 511, 512, 698, 699] {
            let leaf = grown.leaves[usize::try_from(index).unwrap()];
            let proof = grown.tree().inclusion(index, 700).unwrap();
            let root = grown.edge.root();
            assert!(is_included((index, 700), leaf, &proof, &root), "{index}");
            // Neither another leaf, place or root, nor a proof that is cut or goes on.
            let longer = [&proof[..], &[leaf]].concat();
            for (place, leaf, proof, root) in [
                ((index, 700), [0; 32], &proof[..], &root),
                ((index ^ 1, 700), leaf, &proof, &root),
                ((700, 700), leaf, &proof, &root),
                ((index, 700), leaf, &proof, &[0; 32]),
                ((index, 700), leaf, &proof[1..], &root),
                ((index, 700), leaf, &longer, &root),
            ] {
                assert!(!is_included(place, leaf, proof, root), "{index} {place:?}");
            }
        }
    }

    #[test]
    fn an_edge_of_the_wrong_size_is_not_put_together() {
        let grown = Grown::of(&vec![vec![0]; 300]);
        let levels = grown.edge.levels().to_vec();
        assert_eq!(Edge::from_parts(300, levels.clone()), Some(grown.edge));
        assert_eq!(Edge::from_parts(301, levels.clone()), None);
        assert_eq!(Edge::from_parts(300 + 256 * 256, levels), None);
    }
}
