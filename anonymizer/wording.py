"""What the conformance statement says in prose. Numbers and lists stand in their tables and are filled in."""

from __future__ import annotations

ATTRIBUTES = """\
Table E.1-1 of PS3.15 {edition}, all {rows} rows, at every depth of every sequence{own}. A code such as X/Z/D is
resolved by the strictest Type that the object's IOD gives the attribute at that place (1C as 1, 2C as 2); where the
IOD is unknown, by its last letter. X/Z/U* keeps the sequence with new UIDs, since references have to hold. A D
where the IOD defines no such attribute removes it (Note 13). A dummy is one constant for each VR: `DEIDENTIFIED`,
for a name `DEIDENTIFIED^DUMMY`, 19000101, 000000, 0; where the source says just that, a second one. A sequence
coded D keeps its items, coded strings and references; a row of the table inside it gets the Basic profile's action,
whatever option retains it elsewhere, but for dates that move and UIDs that are retained; every other text, name,
number, date and code becomes a dummy. A link (VR UR) never stays: where an option retains it, it gets the Basic
profile's action. Nothing is encrypted. What the table does not name is treated by its VR, closed by default. Of an
attribute that is newer than the dictionary ({newer} rows), an option retains only a value that the file gives the
VR of PS3.6. What stays has to be of its VR's repertoire, and no more than the attribute may have; any other value
gets the Basic profile's action, or goes where no row names it."""

WHERE = """\
What is in reports stands under [Content items](#content-items), what private attributes there are under [Private
attributes](#private-attributes), and what becomes of frames, icons, overlays, curves and ICC profiles under
[Pictures](#pictures). [Every attribute](#every-attribute) has its line at the end."""

EVERY_ATTRIBUTE = """\
One line an attribute: what happens to it, the code that it follows, and where that code stands. The first action
holds wherever no other is named; the others are named with the Type that asks for them, if any IOD gives the
attribute that Type anywhere. Overlays, such as OverlayData (6000,3000), curves, private attributes and what no row
names have their lines at the end. Content Sequence (0040,A730), the tree of a report, has one line; what becomes of
each item in it stands under [Content items](#content-items)."""

CHANGES = """\
`keep` of a sequence treats each of its items as any other. In a sequence coded D, `keep` and `clean` hold for
sequences, UIDs, coded strings, pointers and whole binary numbers alone; texts, dates and other numbers are treated
there as without the change."""

PSEUDONYMS = """\
Each is a function of the source value under the site's key: the same value gives the same pseudonym in every
instance, study, run and year. There is no table of them. Whoever has the key can find out whether a pseudonym is
that of a value that he knows; nobody else can. The key is 32 random bytes and never leaves the site. Version 1 of
the pseudonyms:

- for each purpose: sub = HKDF-SHA256 (RFC 5869) of the key, without salt, with info `entwash/1/` project `/`
  purpose, 32 bytes; so two projects, or two keys, never match
- mac = HMAC-SHA256 under that sub of the values, each as its length in 4 bytes, big-endian, and its UTF-8 in NFC
- code = the first 10 bytes of the mac in Base32: 16 characters

| what | purpose | of | becomes |
|---|---|---|---|
| UID | `uid` | the UID, without padding | `2.25.` and the mac's first 16 bytes as a number |
| Patient ID | `patient` | the subject | prefix and code; the prefix is `DEID-`, or the project's own |
| Patient's Name | `patient` | the subject | `DEIDENTIFIED^` and the same code |
| Accession Number | `accession` | the accession number | code; an empty one stays empty |
| Study ID | `study-id` | Study Instance UID | code |
| shift of dates | `date` | the subject | 7 x (52 + the mac's first 8 bytes modulo 469) days back |

The 16 bytes of a UID have the version (8) and variant of a UUID; a UID that the standard registers stays. The
subject is "id", Issuer of Patient ID and Patient ID; where the issuer is absent, the site's default issuer (empty
unless it names one). Without a Patient ID it is "study" and the Study Instance UID, so that two unknown patients
never become one. An item that names another patient has that one's pseudonyms and shift."""

NO_DATES = """\
None stays: removed, empty or the dummy 19000101, as an attribute's code and Type ask. Longitudinal Temporal
Information Modified (0028,0303) is REMOVED."""

DATES_OF_DEVICES = """\
None of a patient stays: removed, empty or the dummy 19000101, as an attribute's code and Type ask. Dates and times
of devices stay where they are valid, under Retain Device Identity: {names}. Longitudinal Temporal Information
Modified (0028,0303) is REMOVED."""

MODIFIED_DATES = """\
Dates that the column of the option names move back, all those of a patient by one number of whole weeks, one to ten
years, drawn from the patient's ID under the site's key: days of the week, order and intervals stay, also from study
to study. Times stay. A date or time that is none becomes the dummy. The date and time of birth do not move, nor do
dates of devices, trials and vocabularies, since a known one would show by how much: they get the Basic profile's
action. Longitudinal Temporal Information Modified (0028,0303) is MODIFIED; or REMOVED where the source said so
already, and then dates and times become dummies."""

FULL_DATES = """\
They stay as they are where they are valid dates; the date and time of birth do not, nor does any date in a sequence
coded D, for it could be one. Longitudinal Temporal Information Modified (0028,0303) is UNMODIFIED, or what the
source says that is stricter."""

MEANINGS = """\
A code stays where its scheme is a public one that can have given it; a hospital's own becomes a dummy. The meaning
of a public code stays when the code's dictionary gives it or each of its words is of the vocabulary."""

CLEANED = (
    """\
A description stays as it is when each of its words, numbers and letters is of the vocabulary: {words} words of
anatomy, acquisition, reconstruction and radiotherapy that ship with Entwash, and {own} of the site's own. No name,
date or number of more than three digits can be in it. Any other description goes as the Basic profile says. """
    + MEANINGS
)

REPLACED_CONTENT = """\
Content Sequence (0040,A730) is coded D: items, relationships, names of public concepts, units and references stay;
every text, name, number, code, date and time in it becomes a dummy, whatever its concept."""

CLEANED_CONTENT = """\
In Content Sequence (0040,A730) texts stay when every word is of the vocabulary, and public codes and numbers stay.
A content item whose concept is a person's, or is not of a public scheme, is replaced whole: its texts, names,
numbers and codes become dummies."""

PERSONS = """\
In other sequences, such as Protocol Context Sequence (0040,0440), an item whose concept is a person's is replaced
likewise. Concepts of persons:"""

EVENTS = """\
But a Date, Time or DateTime of a content item is treated as other dates are where its concept is one of these
events of the imaging, and by the Basic profile's action everywhere else, in cells of tables too: it could be a date of
birth."""

PRIVATE = """\
Those stay that Table E.3.10-1 lists, found by private creator, group and the low byte of the element, with their
creators, but none in a sequence coded D. Numbers, coded strings and binary values stay, UIDs are replaced, texts stay
when they are of the vocabulary, and sequences are looked into. The table lists no date, no time and no name. All
others go. A pointer (VR AT) at an attribute that went stays, and tells no more than which one it was; the Private
Creator that stands beside it stays where the table lists it, and is the dummy elsewhere."""

REFERENCES = """\
Its scope is the project under the site's key: wherever a source UID is replaced, in every instance, study, run and
year, one UID takes its place, and no two share one. One patient is one patient, and one study one study, in the whole
project."""

NEW_UIDS = """\
Every UID is replaced, but those that the standard registers. So a reference that resolved in the source resolves in
the output, unless its attribute goes, and one that dangled still does."""

RETAINED_UIDS = """\
Retain UIDs holds: a valid UID stays as it is where that column of the table has a K. One that is none is replaced,
and so is one of any other attribute: {names}, private ones, and whatever no row names. A reference between UIDs that
stay, or between UIDs that are replaced, still resolves; one from the one kind to the other does not."""

KEPT_UIDS = """\
The site's own changes keep these UIDs: {kept}. Every other one is replaced, but those that the standard registers. So
a reference that resolved in the source resolves in the output if both its ends are replaced, or both stay, and is
broken if only one is kept."""

LOST_REFERENCES = "The site's own changes take these away or empty them, with every reference in them: {lost}."

OWN_CHANGES = "The site's own changes come before what is said here, of these:"

INSERTED = """\
Patient's Name (0010,0010) and Patient ID (0010,0020) are inserted where they are missing, with the pseudonym. Codes
of the Basic profile, Clean Pixel Data, Clean Recognizable Visual Features, Clean Graphics, Clean Structured Content
and Clean Descriptors that the source claims already are claimed on, in front of our own, if any is claimed; the
code of an option about dates is not, where the source says that they were moved or removed before. Preamble and
File Meta Information are new; the Implementation Class UID and Version Name are constants."""

PICTURES = """\
Not decoded and not changed; neither is writing in them looked for. What stands beside the picture is cut out of
compressed frames, the picture's own bytes stay, and offset tables are made new:

- JPEG, JPEG-LS: comments (COM) and application segments (APP0 to APP15), but for what colours need, which is
  written in one way: JFIF without density and thumbnail, Adobe's colour transform without flags, HP's in JPEG-LS;
  tables that no scan uses; fill bytes; whatever stands in front or behind
- JPEG 2000, HTJ2K: comments (COM), lengths of packets (PLM, PLT), all boxes of the file format; whatever stands in
  front or behind
- JPEG XL: all boxes (Exif, XML and others) but those of the codestream and its level; one without boxes is held
- RLE: whatever stands behind the picture in each segment; deflated and plain frames: whatever stands behind them

A frame that cannot be walked to its end is held. Native pixels are held when they have more or fewer bytes than the
picture, or bits set that its Bits Stored do not explain. Of an ICC profile (0028,2000) the numbers stay that
colours need (white and black points, primaries, curves, tables, adaptation); it is written anew without
descriptions, copyright, names, dates, makers, models, digests and private tags, and goes where it is none. Icons
and other pictures inside sequences go. Overlays and curves go; an overlay inside the pixels holds the instance."""

SYNTAXES = """\
What is written has the source's transfer syntax, but a deflated data set comes out as Explicit VR Little Endian.
Frames in any other transfer syntax are held, video above all; so is a data set whose pixels stand elsewhere. An
object without compressed frames is read as Explicit VR Little Endian whatever other registered transfer syntax it
names."""

RESTRICTIONS = """\
An object whose pixels may show writing is held by its SOP class; so is any whose Burned In Annotation says anything
but NO, or whose Image Type or Conversion Type says that it shows a screen. Nobody looks for writing, or for faces,
in others: Clean Pixel Data and Clean Recognizable Visual Features are neither done nor claimed. What is no
valid DICOM is never released, nor is what cannot be read to its end.

What else a held instance holds is the site's choice and not the profile's. In a flow it holds its study, or with
`hold = "instance"` only itself and what points at it. By hand, `entwash anonymize` holds it alone. Two patients in one
study hold the study everywhere. In a flow an output has still to pass the gate, which compares source and output
without the key and the rules; by hand `entwash verify` asks it."""
