"""The engine: one room a concern. What is decided where, and by which file of ``anonymizer/tables``.

Which attribute gets what
    what becomes of an attribute                        rules.Rules.rule, rules.Action        table_E_1-1.json
    what no row of the table names                      rules.Rules.unlisted                  kept.toml
    what goes although nothing would tell               rules.Rules.rule                      kept.toml [removed]
    what persons type and no row names                  rules.Rules.rule                      kept.toml [described]
    which letter of X/Z/D                               rules.resolve, types.place_of         types.json
    attributes newer than pydicom's dictionary          rules.vr_of                           newer.toml
    options, and a site's own profile                   profile.load_profile                  ../profiles
    what a site may say of an attribute                 overrides
    overlays and curves                                 rules.Rules.rule
    icons, and any picture in an item                   walk.plan_of                          table_E_1-1.json
    reports, annotations: what is in a sequence coded D walk.items_of, rules.Rules.inside     kept.toml [structure]
    private attributes, and whose they are              walk.Walk, private.listed_vr          safe_private.json

What a value becomes
    PatientName, PatientID, AccessionNumber, StudyID    values.treat, pseudonyms.Pseudonyms
    UIDs, and which of them stay                        pseudonyms.Pseudonyms.uid             tables.REGISTERED_UIDS
    whom an item is about                               context.subject_of, pseudonyms.Subject
    by how many days dates move                         pseudonyms.Pseudonyms.date_shift
    how a date moves; what is a time; ages over 89      dates.move_date, dates.is_time, dates.cap_age
    content items: dates of events, values of people    content.Concept                       content.toml
    dates that are nobody's and never move              rules.Rules.rule                      kept.toml [fixed_dates]
    dummies, and what of a VR may stay                  values.dummy, values.most_values
    binary lists of numbers, by SOP class               values                                kept.toml [[shapes]]
    codes and their meanings                            concepts.public_code                  coding_schemes.toml
    descriptions: words, and numbers among them         vocabulary.Vocabulary, numbers        vocabulary
    character sets                                      text.decode
    colour profiles                                     icc.clean
    the key                                             keys.Key

Which objects, and what about their pixels
    treated or held, by SOP class; screens; overlays    objects                               sop_classes.toml
    why an instance is held, and what to do             outcome.HoldError                     reasons.toml
    what decides how the rest is read                   deciding.check
    the picture; bits that are no pixels                pictures, bits.Bits
    fragments, frames and offset tables                 encapsulated
    which format a compressed frame has                 codestreams, codestreams.picture
    JPEG and JPEG-LS                                    codestreams.jpeg, codestreams.definitions
    JPEG 2000, HTJ2K; JPEG XL; the boxes of both        codestreams.jpeg2000, codestreams.jpegxl, codestreams.boxes
    RLE; plain and deflated frames                      codestreams.rle, codestreams.native
    how pieces are cut out                              codestreams.splice

The way through
    one instance, from bytes to bytes                   anonymize.Anonymizer
    preamble and file meta                              meta
    reading, strictly; which VR is believed             parse, walk.reading_vr
    the slow way and the remembered one                 source, walk.Walk, memo.Memory
    what makes the remembered one quick                 scan, runs
    all that an answer depends on                       context.Context
    writing                                             encode.element
    what an output says of itself                       markers.markers                       cid_7050.json
    the tables, refused when they are not the published tables.published_rows

The third column is a file of ``anonymizer/tables``, with its section; ``tests/test_rooms.py`` holds this map to the
house. Why it is so stands in ``docs/decisions``.
"""
