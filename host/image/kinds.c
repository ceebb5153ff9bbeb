/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds.c - what a file is, told by its first bytes
 *
 * Whoever points the tool at a folder meets files that are no pictures, or
 * pictures of formats that are not decoded here.  The name of a file says
 * little: a failed download is an HTML page called photo.jpg.  So the message
 * says what the content is, and what to do.
 */
#include "image/kinds.h"

#include "base/utf8.h"
#include "oriel_image.h"

#include <stdbool.h>
#include <string.h>

#define TO_PNG "convert it to PNG or JPEG"
#define NO_PICTURE "not a picture"
#define TAKE_FRAMES NO_PICTURE ": extract its frames as PNG first"
#define UNPACK NO_PICTURE ": unpack it first"
#define FAILED_DOWNLOAD NO_PICTURE ": did the download fail?"
#define IS_MODEL NO_PICTURE ": a model is given with --model"
#define AGAIN "download or copy it again, as a binary file"

/* Bytes at a fixed place.  The first row that fits wins. */
typedef struct magic {
    uint16_t at;
    uint8_t n;
    const char *bytes;
    oriel_file_kind kind;
} magic;

#define AT(at, bytes, what, advice) \
    { \
        at, sizeof(bytes) - 1, bytes, \
        { \
            what, advice, 0 \
        } \
    }
#define MODULE(bytes, what, code) \
    { \
        0, sizeof(bytes) - 1, bytes, \
        { \
            what, NULL, code \
        } \
    }

static const magic magics[] = {
    MODULE("GIF87a", "a GIF", ORIEL_IMAGE_GIF),
    MODULE("GIF89a", "a GIF", ORIEL_IMAGE_GIF),
    MODULE("BM", "a BMP", ORIEL_IMAGE_BMP),
    MODULE("II*\0", "a TIFF", ORIEL_IMAGE_TIFF),
    MODULE("MM\0*", "a TIFF", ORIEL_IMAGE_TIFF),
    MODULE("II+\0", "a TIFF", ORIEL_IMAGE_TIFF),
    MODULE("MM\0+", "a TIFF", ORIEL_IMAGE_TIFF),
    /* Pictures of other formats. */
    AT(0, "\0\0\0\14jP  ", "a JPEG 2000", TO_PNG),
    AT(0, "\xff\x4f\xff\x51", "a JPEG 2000 codestream", TO_PNG),
    AT(0, "\xff\x0a", "a JPEG XL", TO_PNG),
    AT(0, "\0\0\0\14JXL ", "a JPEG XL", TO_PNG),
    AT(0, "II\xbc\1", "a JPEG XR", TO_PNG),
    AT(0, "\xff\xd8\xff\xf7", "a JPEG-LS", TO_PNG),
    AT(0, "icns", "an Apple icon (ICNS)", TO_PNG),
    AT(0, "8BPS", "a Photoshop document (PSD)", "export it as PNG"),
    AT(0, "gimp xcf", "a GIMP document (XCF)", "export it as PNG"),
    AT(0, "DDS ", "a DirectDraw surface (DDS)", TO_PNG),
    AT(0, "qoif", "a QOI", TO_PNG),
    AT(0, "v/1\1", "an OpenEXR", TO_PNG),
    AT(0, "#?RADIANCE", "a Radiance HDR", TO_PNG),
    AT(0, "\12\5\1\10", "a PCX", TO_PNG),
    AT(0, "BPG\xfb", "a BPG", TO_PNG),
    AT(0, "FLIF", "a FLIF", TO_PNG),
    AT(0, "IIRO", "a camera's raw file (ORF)", "develop it to PNG or JPEG"),
    AT(0, "IIU\0", "a camera's raw file (RW2)", "develop it to PNG or JPEG"),
    AT(0, "FUJIFILMCCD-RAW", "a camera's raw file (RAF)",
       "develop it to PNG or JPEG"),
    AT(0, "SIMPLE  =", "a FITS file", TO_PNG),
    AT(128, "DICM", "a DICOM file", TO_PNG),
    AT(0, "/* XPM */", "an XPM", TO_PNG),
    AT(0, "%PDF-", "a PDF", NO_PICTURE ": render its pages to PNG first"),
    AT(0, "%!PS", "a PostScript file",
       NO_PICTURE ": render its pages to PNG first"),
    AT(0, "\xc5\xd0\xd3\xc6", "a PostScript file",
       NO_PICTURE ": render its pages to PNG first"),
    AT(0, "AT&TFORM", "a DjVu", NO_PICTURE ": render its pages to PNG first"),
    AT(0, "\xd7\xcd\xc6\x9a", "a Windows metafile (WMF)", TO_PNG),
    AT(40, " EMF", "a Windows metafile (EMF)", TO_PNG),
    AT(0, "\xabKTX ", "a texture (KTX)", TO_PNG),
    AT(0, "\x8bJNG", "a JNG", TO_PNG),
    AT(0, "FOVb", "a camera's raw file (X3F)", "develop it to PNG or JPEG"),
    /* Pictures that something on their way has broken. */
    AT(0, "\x89PNG", "a PNG whose first bytes are damaged", AGAIN),
    AT(0, "\xc2\x89PNG", "a PNG that was saved as text", AGAIN),
    AT(0, "\xc3\xbf\xc3\x98\xc3\xbf", "a JPEG that was saved as text", AGAIN),
    AT(0, "\xef\xbf\xbd\xef\xbf\xbd", "a binary file that was saved as text",
       AGAIN),
    AT(0, "\xef\xbf\xbdPNG", "a PNG that was saved as text", AGAIN),
    AT(0, "\xff\xd8", "a JPEG whose first bytes are damaged", AGAIN),
    AT(0, "GIF8", "a GIF whose first bytes are damaged", AGAIN),
    /* Moving pictures and sound. */
    AT(0, "\x8aMNG", "an MNG animation", TAKE_FRAMES),
    AT(0, "\x1a\x45\xdf\xa3", "a Matroska or WebM video", TAKE_FRAMES),
    AT(4, "moov", "a QuickTime video", TAKE_FRAMES),
    AT(4, "mdat", "a QuickTime video", TAKE_FRAMES),
    AT(4, "wide", "a QuickTime video", TAKE_FRAMES),
    AT(0, "FLV\1", "a Flash video", TAKE_FRAMES),
    AT(0, "OggS", "an Ogg file (sound or video)", TAKE_FRAMES),
    AT(0, "\0\0\1\xba", "an MPEG video", TAKE_FRAMES),
    AT(0, "\0\0\1\xb3", "an MPEG video", TAKE_FRAMES),
    AT(0, "0&\xb2u\x8e\x66\xcf\x11", "a Windows Media file", TAKE_FRAMES),
    AT(0, "ID3", "an MP3", NO_PICTURE),
    AT(0, "fLaC", "a FLAC", NO_PICTURE),
    /* What lies about in folders of models and data sets. */
    AT(0, "version https://git-lfs.github.com/spec/", "a Git LFS pointer",
       "the file itself was not downloaded: run 'git lfs pull'"),
    AT(0, "GGUF", "a GGUF model", IS_MODEL),
    AT(0, "lmgg", "a GGML model", IS_MODEL),
    AT(4, "TFL3", "a TensorFlow Lite model", NO_PICTURE),
    AT(0, "\x93NUMPY", "a NumPy array (.npy)", NO_PICTURE),
    AT(0, "\x89HDF\r\n\x1a\n", "an HDF5 file", NO_PICTURE),
    AT(0, "PAR1", "a Parquet file", UNPACK),
    AT(0, "ARROW1", "an Arrow file", UNPACK),
    AT(0, "SQLite format 3", "an SQLite database", NO_PICTURE),
    AT(0, "\x7f\x45LF", "a program or library (ELF)", NO_PICTURE),
    AT(0, "\x1f\x8b", "a gzip archive", UNPACK),
    AT(0, "BZh", "a bzip2 archive", UNPACK),
    AT(0, "\xfd\x37zXZ", "an xz archive", UNPACK),
    AT(0, "(\xb5/\xfd", "a Zstandard archive", UNPACK),
    AT(0, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    AT(0, "Rar!\x1a\7", "a RAR archive", UNPACK),
    AT(257, "ustar", "a tar archive", UNPACK),
    AT(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office file",
       NO_PICTURE),
    AT(0, "\0\5\x16\7", "a macOS resource fork (._ file)",
       NO_PICTURE ": leave it out"),
    AT(0, "\0\0\0\1Bud1", "a macOS folder file (.DS_Store)",
       NO_PICTURE ": leave it out"),
    AT(0, "bplist00", "an Apple property list", NO_PICTURE),
    AT(0, "{\\rtf", "an RTF document", NO_PICTURE),
    AT(0, "\xff\xfe", "a text file in UTF-16",
       NO_PICTURE ": a list of names is given as @FILE"),
    AT(0, "\xfe\xff", "a text file in UTF-16",
       NO_PICTURE ": a list of names is given as @FILE"),
};

/* ---- Containers of which many kinds are made ----------------------------- */

static bool
begins(const uint8_t *bytes, size_t n_bytes, size_t at, const char *text)
{
    size_t n = strlen(text);

    return n_bytes >= at && n_bytes - at >= n &&
           memcmp(bytes + at, text, n) == 0;
}

static bool
is_brand(const uint8_t brand[4], const char *const *brands)
{
    for (; *brands; brands++)
        if (memcmp(brand, *brands, 4) == 0)
            return true;
    return false;
}

static int32_t
code_of_brand(const uint8_t brand[4])
{
    static const char *const avif[] = {"avif", "avis", NULL};
    static const char *const heic[] = {"heic", "heix", "heim", "heis", "hevc",
                                       "hevx", "hevm", "hevs", NULL};

    return is_brand(brand, avif)   ? ORIEL_IMAGE_AVIF
           : is_brand(brand, heic) ? ORIEL_IMAGE_HEIC
                                   : 0;
}

/* AVIF, HEIC, video and raw files share a container: its brands tell.  The
   general brands of pictures leave it to the compatible ones. */
static const oriel_file_kind *
kind_of_boxes(const uint8_t *bytes, size_t n_bytes)
{
    static const oriel_file_kind avif = {"an AVIF", NULL, ORIEL_IMAGE_AVIF};
    static const oriel_file_kind heic = {"a HEIC", NULL, ORIEL_IMAGE_HEIC};
    static const oriel_file_kind raw = {"a camera's raw file (CR3)",
                                        "develop it to PNG or JPEG", 0};
    static const oriel_file_kind video = {"an MP4 or QuickTime video",
                                          TAKE_FRAMES, 0};
    static const oriel_file_kind other = {
        "a HEIF of a kind other than HEIC and AVIF", TO_PNG, 0};
    static const char *const general[] = {"mif1", "msf1", "miaf",
                                          "mif2", "1pic", NULL};
    size_t end = n_bytes < 16 ? n_bytes : (size_t)bytes[2] << 8 | bytes[3];
    int32_t code;

    if (n_bytes < 12)
        return &other;
    code = code_of_brand(bytes + 8);
    if (code == 0 && is_brand(bytes + 8, general)) {
        for (size_t at = 16; at + 4 <= end && at + 4 <= n_bytes && !code;
             at += 4)
            code = code_of_brand(bytes + at);
        if (code == 0)
            return &other;
    }
    if (code)
        return code == ORIEL_IMAGE_AVIF ? &avif : &heic;
    if (memcmp(bytes + 8, "crx ", 4) == 0)
        return &raw;
    if (memcmp(bytes + 8, "avci", 4) == 0 || memcmp(bytes + 8, "j2ki", 4) == 0)
        return &other;
    return &video;
}

static const oriel_file_kind *
kind_of_riff(const uint8_t *bytes, size_t n_bytes)
{
    static const oriel_file_kind avi = {"an AVI video", TAKE_FRAMES, 0};
    static const oriel_file_kind wave = {"a WAV", NO_PICTURE, 0};
    static const oriel_file_kind webp = {"a damaged WebP", "download it again",
                                         0};
    static const oriel_file_kind other = {"a RIFF file", NO_PICTURE, 0};

    return begins(bytes, n_bytes, 8, "AVI ")   ? &avi
           : begins(bytes, n_bytes, 8, "WAVE") ? &wave
           : begins(bytes, n_bytes, 8, "WEBP") ? &webp
                                               : &other;
}

/* The name of a zip's first entry tells NumPy's, PyTorch's and Office's apart
   from plain ones. */
static const oriel_file_kind *
kind_of_zip(const uint8_t *bytes, size_t n_bytes)
{
    static const oriel_file_kind npz = {"NumPy arrays (.npz)", NO_PICTURE, 0};
    static const oriel_file_kind torch = {"a PyTorch file (.pt, .bin)",
                                          IS_MODEL, 0};
    static const oriel_file_kind office = {"an Office document", NO_PICTURE, 0};
    static const oriel_file_kind plain = {"a zip archive", UNPACK, 0};
    size_t n_name = n_bytes < 30 ? 0 : (size_t)bytes[27] << 8 | bytes[26];

    if (n_name > 0 && n_bytes - 30 >= n_name) {
        if (n_name > 4 && begins(bytes, n_bytes, 30 + n_name - 4, ".npy"))
            return &npz;
        if (n_name > 8 && begins(bytes, n_bytes, 30 + n_name - 8, "data.pkl"))
            return &torch;
        if (begins(bytes, n_bytes, 30, "[Content_Types].xml") ||
            begins(bytes, n_bytes, 30, "_rels/") ||
            begins(bytes, n_bytes, 30, "word/") ||
            begins(bytes, n_bytes, 30, "xl/") ||
            begins(bytes, n_bytes, 30, "ppt/"))
            return &office;
    }
    return &plain;
}

/* ---- Text ---------------------------------------------------------------- */

/* Whether 'word', in small letters, stands within the first 'n_bytes'. */
static bool
has_word(const uint8_t *bytes, size_t n_bytes, const char *word)
{
    size_t n = strlen(word);

    for (size_t at = 0; at + n <= n_bytes; at++) {
        size_t i = 0;

        while (i < n && (bytes[at + i] | (word[i] & 0x20)) == (uint8_t)word[i])
            i++;
        if (i == n)
            return true;
    }
    return false;
}

/* UTF-8 without control characters, as far as it is looked at; a character
   that is cut at the end is none of the text's faults. */
static bool
is_text(const uint8_t *bytes, size_t n_bytes)
{
    size_t at = 0;

    while (at < n_bytes) {
        size_t n = oriel_utf8_length(bytes + at, n_bytes - at);

        if (n == 0)
            return n_bytes - at < 4 && bytes[at] >= 0xc2 && at > 0;
        if (bytes[at] < 9 || (bytes[at] > 13 && bytes[at] < 32))
            return false;
        at += n;
    }
    return true;
}

static bool
is_html(const uint8_t *bytes, size_t n_bytes)
{
    static const char *const words[] = {"<html",  "<!doctype html", "<head",
                                        "<title", "<body",          "<script"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (has_word(bytes, n_bytes, words[i]))
            return true;
    return false;
}

/* An object or a list, and what may follow there. */
static bool
is_json(const uint8_t *bytes, size_t n_bytes)
{
    if (bytes[0] == '{')
        return true;
    return bytes[0] == '[' && n_bytes > 1 &&
           strchr("[]{\"-0123456789 \t\r\n", bytes[1]) != NULL;
}

/* How the files of the common formats begin in base64. */
static bool
is_base64(const uint8_t *bytes, size_t n_bytes)
{
    static const char *const heads[] = {"iVBORw0KGgo", "/9j/", "R0lGODdh",
                                        "R0lGODlh", "UklGR"};

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        if (begins(bytes, n_bytes, 0, heads[i]))
            return true;
    return false;
}

static const oriel_file_kind *
kind_of_text(const uint8_t *bytes, size_t n_bytes)
{
    static const oriel_file_kind svg = {"an SVG", "render it to PNG first", 0};
    static const oriel_file_kind html = {"an HTML page", FAILED_DOWNLOAD, 0};
    static const oriel_file_kind xml = {"an XML file", FAILED_DOWNLOAD, 0};
    static const oriel_file_kind json = {"a JSON file", FAILED_DOWNLOAD, 0};
    static const oriel_file_kind url = {
        "a data: URL", "decode its base64 text to a file first", 0};
    static const oriel_file_kind base64 = {"a picture as base64 text",
                                           "decode it to a file first", 0};
    static const oriel_file_kind text = {
        "a text file", NO_PICTURE ": a list of names is given as @FILE", 0};
    enum { LOOKED_AT = 1024 };
    size_t n = n_bytes < LOOKED_AT ? n_bytes : LOOKED_AT;

    if (begins(bytes, n, 0, "\xef\xbb\xbf")) {
        bytes += 3;
        n -= 3;
    }
    while (n > 0 && (bytes[0] == ' ' || (bytes[0] >= 9 && bytes[0] <= 13))) {
        bytes++;
        n--;
    }
    if (!is_text(bytes, n) || n == 0)
        return NULL;
    if (bytes[0] == '<') {
        if (begins(bytes, n, 0, "<svg"))
            return &svg;
        if (is_html(bytes, n))
            return &html;
        return has_word(bytes, n, "<svg") ? &svg : &xml;
    }
    if (begins(bytes, n, 0, "data:image/"))
        return &url;
    if (is_base64(bytes, n))
        return &base64;
    return is_json(bytes, n) ? &json : &text;
}

/* ---- All of them --------------------------------------------------------- */

/* Eight bytes of length, then the JSON header. */
static bool
is_safetensors(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 10 && memcmp(bytes + 4, "\0\0\0\0", 4) == 0 &&
           bytes[8] == '{' && bytes[9] == '"';
}

/* A pickle of protocol 2 to 5, which ends in a dot. */
static bool
is_pickle(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 4 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5 &&
           bytes[n_bytes - 1] == '.';
}

static bool
is_transport_stream(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes > 376 && bytes[0] == 0x47 && bytes[188] == 0x47 &&
           bytes[376] == 0x47;
}

/* ICO or CUR, as 'type' says: a count, which is not 0, and a reserved byte in
   the first entry, which is. */
static bool
is_icon(const uint8_t *bytes, size_t n_bytes, uint8_t type)
{
    return n_bytes >= 6 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] == type &&
           bytes[3] == 0 && (bytes[4] || bytes[5]) &&
           (n_bytes < 10 || bytes[9] == 0);
}

/* By the signature at the end, which files of the first version lack. */
static bool
is_targa(const uint8_t *bytes, size_t n_bytes)
{
    static const char end[] = "TRUEVISION-XFILE.";

    return n_bytes >= sizeof(end) &&
           memcmp(bytes + n_bytes - sizeof(end), end, sizeof(end)) == 0;
}

/* What a file is whose space was reserved, and nothing written to it. */
static bool
is_all_zeros(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 64 && bytes[0] == 0 &&
           memcmp(bytes, bytes + 1, n_bytes - 1) == 0;
}

/* Kinds that take more than bytes at a fixed place. */
static const oriel_file_kind *
kind_of_structure(const uint8_t *bytes, size_t n_bytes)
{
    static const struct {
        bool (*is)(const uint8_t *bytes, size_t n_bytes);
        oriel_file_kind kind;
    } kinds[] = {
        {is_safetensors, {"a safetensors file", IS_MODEL, 0}},
        {is_pickle, {"a Python pickle", NO_PICTURE, 0}},
        {is_transport_stream, {"an MPEG transport stream", TAKE_FRAMES, 0}},
        {is_targa, {"a Targa (TGA)", TO_PNG, 0}},
        {is_all_zeros,
         {"a file of zeros", NO_PICTURE ": did a download or a copy fail?", 0}},
    };
    static const oriel_file_kind icon = {"a Windows icon (ICO)", TO_PNG, 0};
    static const oriel_file_kind cursor = {"a Windows cursor (CUR)", TO_PNG, 0};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (kinds[i].is(bytes, n_bytes))
            return &kinds[i].kind;
    if (is_icon(bytes, n_bytes, 1))
        return &icon;
    return is_icon(bytes, n_bytes, 2) ? &cursor : NULL;
}

const oriel_file_kind *
oriel_file_kind_of(const uint8_t *bytes, size_t n_bytes)
{
    const oriel_file_kind *kind;
    static const oriel_file_kind empty = {
        "an empty file", NO_PICTURE ": did a download or a copy fail?", 0};
    static const oriel_file_kind program = {"a Windows program (EXE, DLL)",
                                            NO_PICTURE, 0};

    if (n_bytes == 0)
        return &empty;
    for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
        const magic *m = &magics[i];

        if (n_bytes >= (size_t)m->at + m->n &&
            memcmp(bytes + m->at, m->bytes, m->n) == 0)
            return &m->kind;
    }
    if (begins(bytes, n_bytes, 4, "ftyp"))
        return kind_of_boxes(bytes, n_bytes);
    if (begins(bytes, n_bytes, 0, "RIFF"))
        return kind_of_riff(bytes, n_bytes);
    if (begins(bytes, n_bytes, 0, "PK\3\4"))
        return kind_of_zip(bytes, n_bytes);
    kind = kind_of_structure(bytes, n_bytes);
    if (!kind)
        kind = kind_of_text(bytes, n_bytes);
    return !kind && begins(bytes, n_bytes, 0, "MZ") ? &program : kind;
}
