//! crc32: the checksum of Ethernet and zip, used as a hash by NGINX and by HAProxy (`hash-type … crc32`).
//!
//! Polynomial 0xedb88320 (reflected), all ones before and after. Eight bytes are taken at once by eight tables
//! (Kounavis, Berry, *Novel table lookup-based algorithms for high-performance CRC generation*, IEEE ToC 2008).

const TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// A checksum under way, so that a key can be hashed in parts.
#[derive(Clone, Copy, Debug)]
pub struct Crc32(u32);

impl Default for Crc32 {
    fn default() -> Crc32 {
        Crc32(u32::MAX)
    }
}

impl Crc32 {
    /// With `bytes` appended.
    #[inline]
    pub fn and(self, bytes: &[u8]) -> Crc32 {
        let mut crc = self.0;
        let mut eights = bytes.chunks_exact(8);
        for eight in &mut eights {
            let low = crc ^ u32::from_le_bytes([eight[0], eight[1], eight[2], eight[3]]);
            crc = TABLES[7][(low & 0xff) as usize]
                ^ TABLES[6][(low >> 8 & 0xff) as usize]
                ^ TABLES[5][(low >> 16 & 0xff) as usize]
                ^ TABLES[4][(low >> 24) as usize]
                ^ TABLES[3][eight[4] as usize]
                ^ TABLES[2][eight[5] as usize]
                ^ TABLES[1][eight[6] as usize]
                ^ TABLES[0][eight[7] as usize];
        }
        for &byte in eights.remainder() {
            crc = (crc >> 8) ^ TABLES[0][((crc ^ u32::from(byte)) & 0xff) as usize];
        }
        Crc32(crc)
    }

    /// The checksum.
    #[inline]
    pub fn value(self) -> u32 {
        !self.0
    }
}

/// The checksum of `bytes`.
#[inline]
pub fn crc32(bytes: &[u8]) -> u32 {
    Crc32::default().and(bytes).value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of every CRC catalogue");
        assert_eq!(crc32(b"user-0"), 153_187_970);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_key_may_come_in_parts() {
        let text = b"The quick brown fox jumps over the lazy dog";
        for cut in 0..text.len() {
            assert_eq!(Crc32::default().and(&text[..cut]).and(&text[cut..]).value(), 0x414f_a339);
        }
    }
}
