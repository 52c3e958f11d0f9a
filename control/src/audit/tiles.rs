//! The hash tiles beside the segments, laid out as C2SP tlog-tiles: `tile/<level>/<index>[.p/<width>]`.
//!
//! Everything here can be computed again from the segments, and is when it is missing.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::tree::{Edge, Hash, TILE_ENTRIES, TileId};

const HASH_BYTES: usize = 32;

/// The folder of tiles, with those read last in memory.
#[derive(Debug)]
pub struct Tiles {
    folder: PathBuf,
    cache: Cache<(u8, u64), Arc<[Hash]>>,
}

impl Tiles {
    pub fn new(folder: &Path, tiles_cached_max: usize) -> Tiles {
        Tiles {
            folder: folder.join("tile"),
            cache: Cache::new(tiles_cached_max),
        }
    }

    /// A full tile, from memory or disk.
    pub fn full(&self, id: TileId) -> io::Result<Arc<[Hash]>> {
        if let Some(tile) = self.cache.get(&(id.level, id.index)) {
            return Ok(tile);
        }
        let hashes = read(&self.path(id))?;
        if hashes.len() != TILE_ENTRIES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a full tile has not its size",
            ));
        }
        let hashes: Arc<[Hash]> = hashes.into();
        self.cache.insert((id.level, id.index), Arc::clone(&hashes));
        Ok(hashes)
    }

    /// Keeps a full tile. It is not synced: what a crash takes is computed again.
    pub fn keep(&self, id: TileId, hashes: &Arc<[Hash]>) -> io::Result<()> {
        self.cache.insert((id.level, id.index), Arc::clone(hashes));
        let path = self.path(id);
        write(&path, hashes)?;
        remove_folder(&partial_folder(&path))
    }

    /// Keeps the unfinished tile of every level under its present width, in place of narrower ones.
    pub fn keep_edge(&self, edge: &Edge) -> io::Result<()> {
        let mut index = edge.size();
        for (level, hashes) in (0_u8..).zip(edge.levels()) {
            index /= TILE_ENTRIES as u64;
            if hashes.is_empty() {
                continue;
            }
            let folder = partial_folder(&self.path(TileId { level, index }));
            let name = hashes.len().to_string();
            if folder.join(&name).exists() && level > 0 {
                continue;
            }
            write(&folder.join(&name), hashes)?;
            for other in fs::read_dir(&folder)? {
                let other = other?;
                if other.file_name() != name.as_str() {
                    fs::remove_file(other.path())?;
                }
            }
        }
        Ok(())
    }

    /// What the disk says of a tile, full or else the widest part of it; `None` if it says nothing.
    pub fn on_disk(&self, id: TileId) -> io::Result<Option<Vec<Hash>>> {
        let path = self.path(id);
        if path.exists() {
            return read(&path).map(Some);
        }
        let widest = match fs::read_dir(partial_folder(&path)) {
            Ok(entries) => entries
                .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<usize>().ok())
                .max(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let Some(width) = widest else { return Ok(None) };
        match read(&partial_folder(&path).join(width.to_string())) {
            Ok(hashes) => Ok(Some(hashes)),
            // The log's writer has just replaced it by a wider one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn path(&self, id: TileId) -> PathBuf {
        let mut groups = vec![format!("{:03}", id.index % 1000)];
        let mut rest = id.index / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        let mut path = self.folder.join(id.level.to_string());
        path.extend(groups.iter().rev());
        path
    }
}

fn partial_folder(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".p");
    PathBuf::from(name)
}

fn read(path: &Path) -> io::Result<Vec<Hash>> {
    let bytes = fs::read(path)?;
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if !rest.is_empty() || hashes.len() > TILE_ENTRIES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a tile has not the size of one",
        ));
    }
    Ok(hashes.to_vec())
}

fn write(path: &Path, hashes: &[Hash]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(hashes.as_flattened())?;
    fs::rename(beside, path)
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_stands_where_the_specification_says() {
        let folder = Path::new("log");
        let tiles = Tiles::new(folder, 1);
        let path = |level, index| tiles.path(TileId { level, index }).to_str().unwrap().to_owned();
        assert_eq!(path(0, 0), "log/tile/0/000");
        assert_eq!(path(3, 999), "log/tile/3/999");
        assert_eq!(path(0, 1_234_067), "log/tile/0/x001/x234/067");
        assert_eq!(
            partial_folder(Path::new(&path(1, 1_000))),
            Path::new("log/tile/1/x001/000.p")
        );
    }

    #[test]
    fn the_unfinished_tiles_are_kept_under_one_width_and_give_way_to_full_ones() {
        let folder = tempfile::tempdir().unwrap();
        let tiles = Tiles::new(folder.path(), 4);
        let (mut edge, mut full) = (Edge::default(), Vec::new());
        for _ in 0..3 {
            edge.push([9; 32], &mut full);
            tiles.keep_edge(&edge).unwrap();
        }
        let names = |path: &str| -> Vec<String> {
            let entries = fs::read_dir(folder.path().join(path)).unwrap();
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        };
        assert_eq!(names("tile/0/000.p"), ["3"]);
        for _ in 3..256 {
            edge.push([9; 32], &mut full);
        }
        for tile in &full {
            tiles.keep(tile.id, &tile.hashes).unwrap();
        }
        tiles.keep_edge(&edge).unwrap();
        assert_eq!(names("tile/0"), ["000"]);
        assert_eq!(names("tile/1/000.p"), ["1"]);
        let fresh = Tiles::new(folder.path(), 4);
        assert_eq!(fresh.full(TileId { level: 0, index: 0 }).unwrap().len(), 256);
        assert_eq!(
            fresh
                .on_disk(TileId { level: 1, index: 0 })
                .unwrap()
                .unwrap()
                .len(),
            1
        );
    }
}
