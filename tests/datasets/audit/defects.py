"""KINDS: every kind of bad data that is known by name, each with a way to make it and what the audit says of it."""

import gzip
import os
from dataclasses import dataclass

import nibabel
import numpy as np
from damage import (
    Damage,
    affine_as,
    affine_with,
    brain_as,
    brain_in_parts,
    brain_with_hole,
    codes_as,
    content,
    copied,
    cut,
    declared,
    flipped_qform,
    header_set,
    ignoring,
    image,
    image_as,
    in_its_place,
    in_unit,
    labelled,
    lesion_as,
    lesions,
    row_as,
    shifted_qform,
    table_as,
    with_voxel,
)
from damaged_cohort import AFFINE, ROWS, SHAPE, TABLE, brain, ellipsoid, lesion, picture, save


@dataclass(frozen=True)
class Kind:
    """One kind of bad data.

    Attributes:
        said: severity and code of the finding, or "accepted".
        got: what the finding says was got, or a part of it.
        damage: done to the folder of a sound cohort.
    """

    name: str
    said: str
    got: str
    damage: Damage


COLOURS = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
NAN, INF = float("nan"), float("inf")
UNREADABLE, SHAPED, TYPED = "error unreadable-file", "error bad-shape", "error bad-type"

FILES = [
    Kind("empty file", UNREADABLE, "it is empty", content(b"")),
    Kind("text called .nii.gz", UNREADABLE, "it is text and not packed with gzip", content(b"case;age\n1;2\n")),
    Kind("web page of an error", UNREADABLE, "it is a web page", content(b"<!DOCTYPE html><html>404</html>")),
    Kind("binary of another kind", UNREADABLE, "of an unknown kind and not packed", content(bytes(range(256)) * 4)),
    Kind("gzip torn in the header", UNREADABLE, "within the header of 348", content(gzip.compress(b"\0" * 348)[:15])),
    Kind("gzip torn in the voxels", UNREADABLE, "the gzip stream is torn", cut(0.6)),
    Kind("gzip torn in its last bytes", UNREADABLE, "the gzip stream is torn", cut(0.9999)),
    Kind("gzip checksum wrong", UNREADABLE, "incorrect data check", lambda folder: image(folder).write_bytes(
        image(folder).read_bytes()[:-8] + b"\1\2\3\4" + image(folder).read_bytes()[-4:])),
    Kind("gzip of something else", UNREADABLE, "no NIfTI-1 mark", content(gzip.compress(b"no image " * 99))),
    Kind("plain NIfTI called .nii.gz", UNREADABLE, "a plain NIfTI volume and not packed", lambda folder: image(
        folder).write_bytes(gzip.decompress(image(folder).read_bytes()))),
    Kind("rubbish after the gzip stream", UNREADABLE, "the gzip stream is torn", lambda folder: image(
        folder).write_bytes(image(folder).read_bytes() + b"rubbish")),
    Kind("NIfTI-2", "accepted", "", lambda folder: nibabel.nifti2.Nifti2Image(picture(2), AFFINE).to_filename(
        image(folder))),
    Kind("no NIfTI mark", UNREADABLE, "no NIfTI-1 mark", header_set("magic", b"abc")),
    Kind("header declares more than there is", UNREADABLE, "its header declares", declared(3, 20, 24, 21)),
    Kind("header declares less than there is", UNREADABLE, "and there are more", declared(3, 20, 24, 19)),
    Kind("voxels said to begin within the header", UNREADABLE, "voxels begin at byte 100", header_set(
        "vox_offset", 100)),
    Kind("file missing", "error missing-file", "No file", lambda folder: image(folder).unlink()),
    Kind("file missing, .nii beside it", "error missing-file", "there is bad.nii", in_its_place(
        lambda path: path.with_name("bad.nii").touch())),
    Kind("partner missing", "error missing-file", "lesion_mask/bad.nii.gz", lambda folder: lesions(folder).unlink()),
    Kind("folder in place of a file", "error missing-file", "it is a folder", in_its_place(lambda path: path.mkdir())),
    Kind("dangling link", "error missing-file", "a link to gone.nii.gz, which is not there", in_its_place(
        lambda path: path.symlink_to("gone.nii.gz"))),
    Kind("link that leads to itself", "error missing-file", "leads back to itself", in_its_place(
        lambda path: path.symlink_to(path.name))),
    Kind("pipe in place of a file", "error missing-file", "it is no regular file", in_its_place(os.mkfifo)),
    Kind("file that no row names", "warning unnamed-file", "1 file in t1/", lambda folder: save(
        folder / "t1" / "stranger.nii.gz", picture(7))),
]  # fmt: skip

HEADERS = [
    Kind("huge dimensions declared", "error too-large", "(30000, 30000, 30000) declared", declared(3, *[30000] * 3)),
    Kind("dimension of zero", SHAPED, "dimensions (20, 0, 20)", declared(3, 20, 0, 20)),
    Kind("negative dimension", SHAPED, "dimensions (20, -24, 20)", declared(3, 20, -24, 20)),
    Kind("no dimensions", SHAPED, "of 0 declared", declared(0)),
    Kind("1-D data", SHAPED, "1-D data (9600,)", declared(1, 9600)),
    Kind("2-D data", SHAPED, "2-D data (480, 20)", declared(2, 480, 20)),
    Kind("single slice", SHAPED, "with a single slice", declared(3, 480, 20, 1)),
    Kind("4-D data", SHAPED, "4-D data (20, 24, 20, 2)", image_as(lambda one: np.stack([one, one], axis=-1))),
    Kind("5-D vectors", SHAPED, "5-D data (20, 24, 20, 1, 3)", image_as(
        lambda one: np.stack([one] * 3, axis=-1)[:, :, :, None])),
    Kind("4-D data of one volume", "accepted", "", image_as(lambda one: one[..., None])),
    Kind("complex voxels", TYPED, "voxels of type complex64", image_as(lambda one: one.astype(np.complex64))),
    Kind("colours", TYPED, "voxels of type [('R'", image_as(lambda one: COLOURS)),
    Kind("unknown type of voxels", TYPED, "the unknown type 77", header_set("datatype", 77)),
    Kind("no type of voxels", TYPED, "voxels of", header_set("datatype", 0)),
    Kind("scl_slope not a number", "accepted", "", header_set("scl_slope", NAN)),
    Kind("scl_slope of zero", "accepted", "", header_set("scl_slope", 0)),
    Kind("scl_slope infinite", "error bad-scaling", "scl_slope inf", header_set("scl_slope", INF)),
    Kind("negative spacing", "error bad-spacing", "spacing [8.0, -8.0, 8.0]", header_set(
        "pixdim", [1, 8, -8, 8, 1, 1, 1, 1])),
    Kind("spacing of zero", "error bad-spacing", "spacing [8.0, 0.0, 8.0]", header_set(
        "pixdim", [1, 8, 0, 8, 1, 1, 1, 1])),
    Kind("spacing not a number", "error bad-spacing", "spacing [8.0, nan, 8.0]", header_set(
        "pixdim", [1, 8, NAN, 8, 1, 1, 1, 1])),
    Kind("unit that there is not", "error bad-units", "the unit 5", header_set("xyzt_units", 5)),
    Kind("unit of metres", "accepted", "", in_unit(1, 0.001)),
    Kind("unit of microns", "accepted", "", in_unit(3, 1000)),
    Kind("spacing of header and affine differ", "warning spacing-disagrees", "spacing 4 x 8 x 8 mm in the header",
        header_set("pixdim", [1, 4, 8, 8, 1, 1, 1, 1])),
    Kind("spacing in cm", "warning odd-spacing", "spacing 0.8 x 0.8 x 0.1 mm", affine_as(
        np.diag([0.8, 0.8, 0.1, 1]))),
    Kind("singular affine", "error bad-affine", "cannot be inverted", header_set("srow_y", [0, 0, 0, 0])),
    Kind("affine not a number", "error bad-affine", "cannot be inverted", header_set("srow_y", [0, NAN, 0, 0])),
    Kind("sheared affine", "error sheared", "voxel axes at 6", affine_as(affine_with(0, 1, 4))),
    Kind("sform and qform flipped", "error forms-disagree", "sform RAS and qform LAS", flipped_qform),
    Kind("sform and qform apart", "warning forms-disagree", "20.0 mm apart", shifted_qform),
    Kind("no affine codes", "warning no-orientation", "no orientation in the header", codes_as(0, 0)),
    Kind("flipped affine", "note not-ras", "orientation LAS", affine_as(affine_with(0, 0, -8))),
    Kind("oblique affine", "warning oblique", "axes turned by 20 degrees", affine_as(
        np.array([[7.52, -2.74, 0, 0], [2.74, 7.52, 0, 0], [0, 0, 8, 0], [0, 0, 0, 1]]))),
    Kind("another grid than the cohort's", "warning mixed-grids", "2 grids", affine_as(affine_with(2, 2, 7))),
]  # fmt: skip

VOXELS = [
    Kind("voxels not a number", "error not-finite", "1 NaN or infinite voxel", image_as(
        lambda one: with_voxel(one, (9, 9, 9), NAN))),
    Kind("infinite voxels", "error not-finite", "1 NaN or infinite voxel", image_as(
        lambda one: with_voxel(one, (9, 9, 9), INF))),
    Kind("all zero", "error constant-image", "one intensity (0) throughout the volume", image_as(np.zeros_like)),
    Kind("constant brain", "error constant-image", "one intensity (7) throughout the brain", image_as(
        lambda one: np.where(brain(), 7, 0).astype(np.float32))),
    Kind("negative intensities", "warning negative-intensities", "of the brain below 0", image_as(
        lambda one: np.where(brain(), one - 100, 0).astype(np.float32))),
    Kind("few intensities", "warning few-levels", "different intensities in the brain", image_as(
        lambda one: (one // 20).astype(np.uint8))),
    Kind("saturated", "warning saturated", "of the brain at its highest intensity", image_as(
        lambda one: np.minimum(one, 110))),
    Kind("image shorter than its brain", "warning image-short", "where the image is 0", image_as(
        lambda one: np.where(np.arange(20) < 12, one, 0))),
    Kind("skull left in", "note not-stripped", "of what is outside the brain mask not 0", image_as(
        lambda one: np.where(brain(), one, 40).astype(np.float32))),
]  # fmt: skip

MASKS = [
    Kind("mask of another shape", "error mask-off-grid", "shape (20, 24, 19)", lesion_as(
        lambda: lesion()[:, :, 1:].astype(np.uint8))),
    Kind("mask of another affine", "error mask-off-grid", "affine [[8.0, 0.0, 0.0, 4.0]", lambda folder: save(
        lesions(folder), lesion().astype(np.uint8), affine_with(0, 3, 4))),
    Kind("brain mask of another shape", "error mask-off-grid", "shape (20, 24, 19)", brain_as(
        lambda: brain()[:, :, 1:].astype(np.uint8))),
    Kind("labels 0, 1, 2, 4", "error unknown-label", "label 2 (", lesion_as(
        lambda: lesion() * np.array([1, 2, 4, 1, 2])[np.arange(20) % 5].astype(np.uint8))),
    Kind("labels 0, 1, 2, 4, declared", "accepted", "", labelled(
        {"lesion": [1, 2, 4]}, lambda: lesion() * np.array([1, 2, 4, 1, 2])[np.arange(20) % 5].astype(np.uint8))),
    Kind("a value between declared labels", "error unknown-label", "label 1.4 (", labelled(
        {"lesion": [1, 2]}, lambda: lesion() * np.array([1, 2, 1.4, 1, 2])[np.arange(20) % 5].astype(np.float32))),
    Kind("label 255", "error unknown-label", "label 255 (", lesion_as(lambda: lesion() * np.uint8(255))),
    Kind("label 255, declared", "accepted", "", labelled({"lesion": [255]}, lambda: lesion() * np.uint8(255))),
    Kind("label 0.9999", "warning non-binary-mask", "the values 0, 0.9999", lesion_as(
        lambda: lesion() * np.float32(0.9999))),
    Kind("mask with soft edges", "warning non-binary-mask", "voxels between 0 and 1)", lesion_as(
        lambda: np.where(lesion(), 1, np.where(ellipsoid((8, 9, 10), (3, 3, 3)), 0.3, 0)).astype(np.float32))),
    Kind("mask below one half", "error empty-lesion-mask", "no voxel inside", lesion_as(
        lambda: lesion() * np.float32(0.4))),
    Kind("negative label", "error unknown-label", "label -1 (", lesion_as(
        lambda: lesion().astype(np.int8) - (~brain()).astype(np.int8))),
    Kind("empty lesion", "error empty-lesion-mask", "no voxel inside", lesion_as(lambda: np.zeros(SHAPE, np.uint8))),
    Kind("lesion outside the brain", "warning lesion-outside-brain", "ml outside the brain mask", lesion_as(
        lambda: ellipsoid((2, 11, 10), (2, 2, 2)).astype(np.uint8))),
    Kind("lesion is the brain", "error lesion-is-brain", "the brain mask as lesion mask", lesion_as(
        lambda: brain().astype(np.uint8))),
    Kind("lesion over half of the brain", "warning lesion-volume", "over half of the brain", lesion_as(
        lambda: (brain() & (np.arange(20) > 7)).astype(np.uint8))),
    Kind("label to be ignored", "note ignored", "ml that no score counts", labelled(
        {"lesion": [1], "ignored": [2]}, lambda: lesion() * np.array([1, 2, 1, 1, 1])[np.arange(20) % 5].astype(
            np.uint8))),
    Kind("mask of what is to be ignored", "note ignored", "ml that no score counts", ignoring(
        lambda: brain() & ~lesion())),
    Kind("lesion that is to be ignored", "error ignored-lesion", "ml that is both lesion and to be ignored", ignoring(
        lambda: lesion() & (np.arange(20) > 9))),
    Kind("nothing to be ignored", "warning empty-ignore-mask", "no voxel inside", ignoring(lambda: lesion() & False)),
    Kind("ignore mask of another shape", "error mask-off-grid", "shape (20, 24, 19)", ignoring(
        lambda: brain()[:, :, 1:])),
    Kind("label 2 in an ignore mask", "error unknown-label", "label 2 (", ignoring(
        lambda: (brain() & ~lesion()) * np.uint8(2))),
    Kind("ignore mask that no row names", "warning unnamed-file", "1 file in ignore_mask/", lambda folder: save(
        folder / "ignore_mask" / "gone.nii.gz", brain().astype(np.uint8))),
    Kind("empty brain mask", "error empty-brain-mask", "no voxel inside", brain_as(lambda: np.zeros(SHAPE, np.uint8))),
    Kind("brain mask is the whole box", "error brain-is-box", "fills the whole volume", brain_as(
        lambda: np.ones(SHAPE, np.uint8))),
    Kind("brain too small", "warning brain-volume", "a brain of", brain_as(
        lambda: ellipsoid((9.5, 11.5, 9.5), (5, 6, 5)).astype(np.uint8))),
    Kind("brain in parts", "warning brain-in-parts", "2 parts", brain_as(brain_in_parts)),
    Kind("hole in the brain", "warning holes-in-brain", "1 holes of", brain_as(brain_with_hole)),
]  # fmt: skip

COPIES = [
    Kind("scan of train in test", "error duplicate-scan", "equal voxels in sound (train) and bad (test)", copied(
        "sound")),
    Kind("scan under two subjects", "error duplicate-scan", "equal voxels in other (test) and bad (test)", copied(
        "other")),
    Kind("the same brain in train and test", "error near-duplicate-scan", "one brain (likeness", copied(
        "sound", scale=1.7)),
    Kind("subject in train and test", "error subject-in-two-splits", "1 subject in both train and test", row_as(
        "bad,s1,test,t1,here,no,CC0")),
    Kind("subject in other capitals", "error subject-in-two-splits", "1 subject in both train", row_as(
        "bad,S1,test,t1,here,no,CC0")),
    Kind("subject with blanks around", "error subject-in-two-splits", "1 subject in both train", row_as(
        "bad, s1 ,test,t1,here,no,CC0")),
    Kind("subject in full width", "error subject-in-two-splits", "1 subject in both train", row_as(
        "bad,\uff531,test,t1,here,no,CC0")),
    Kind("subjects that differ in leading zeros", "warning similar-subjects", "'s1' in train and 's01' in test", row_as(
        "bad,s01,test,t1,here,no,CC0")),
    Kind("scan in train and test", "error scan-in-two-splits", "1 scan in both train and test", table_as(
        TABLE + "bad,s3,train,t1,here,no,CC0\n")),
]  # fmt: skip

TABLES = [
    Kind("byte order mark", "accepted", "", table_as(b"\xef\xbb\xbf" + TABLE.encode())),
    Kind("CRLF", "accepted", "", table_as(TABLE.replace("\n", "\r\n"))),
    Kind("empty lines", "accepted", "", table_as(TABLE.replace("\n", "\n\n,,,,,,\n"))),
    Kind("quoted fields", "accepted", "", row_as('"bad","s3","test","t1","here, there","no","CC0"')),
    Kind("empty trailing columns", "accepted", "", table_as(TABLE.replace("\n", ",,\n"))),
    Kind("semicolons", "error bad-table", "semicolons between columns", table_as(TABLE.replace(",", ";"))),
    Kind("tabs", "error bad-table", "tabs between columns", table_as(TABLE.replace(",", "\t"))),
    Kind("UTF-16", "error bad-table", "it is UTF-16", table_as(TABLE.encode("utf-16"))),
    Kind("Latin-1", "error bad-table", "cannot be read ('utf-8' codec", table_as(
        TABLE.replace("here", "Zürich").encode("latin-1"))),
    Kind("NUL bytes", "error bad-table", "it holds NUL bytes", table_as(TABLE.replace("bad", "b\0d"))),
    Kind("quote that does not close", "error bad-table", "cannot be read", row_as('bad,s3,test,t1,"here,no,CC0')),
    Kind("column missing", "error bad-table", "columns case_id, subject_id", table_as(
        TABLE.replace("split,", "group,"))),
    Kind("column twice", "error bad-table", "column site twice", table_as(TABLE.replace("licence", "site"))),
    Kind("empty table", "error bad-table", "columns none", table_as("")),
    Kind("more fields than columns", "error bad-row", "8 fields", row_as("bad,s3,test,t1,here,no,CC0,more")),
    Kind("fewer fields than needed", "error bad-row", "nothing for split, sequences", row_as("bad,s3")),
    Kind("unknown split", "error bad-split", "split 'tset'", row_as("bad,s3,tset,t1,here,no,CC0")),
    Kind("duplicate row", "error duplicate-row", "case 'bad' twice", table_as(f"{TABLE}{ROWS['bad']}\n")),
    Kind("names that differ in case", "error same-name", "the name of 'bad' in other letters", table_as(
        TABLE + ROWS["bad"].replace("bad", "BAD") + "\n")),
    Kind("formula as name", "error bad-name", "a case_id with '='", row_as("=cmd()!A1,s3,test,t1,here,no,CC0")),
    Kind("formula in a field", "error formula", "the formula '=HYPERLINK(1)' as site", row_as(
        "bad,s3,test,t1,=HYPERLINK(1),no,CC0")),
    Kind("path as name", "error bad-name", "a case_id with '/'", row_as("a/bad,s3,test,t1,here,no,CC0")),
    Kind("parent folder as name", "error bad-name", "a case_id with '.'", row_as("../bad,s3,test,t1,here,no,CC0")),
    Kind("reserved name", "error bad-name", "a case_id with 'con'", row_as("con,s3,test,t1,here,no,CC0")),
    Kind("reserved character", "error bad-name", "a case_id with ':'", row_as("a:b,s3,test,t1,here,no,CC0")),
    Kind("very long name", "error bad-name", "a case_id of 300 bytes", row_as(f"{'b' * 300},s3,test,t1,here,no,CC0")),
    Kind("line break in a name", "error bad-name", "line breaks in case_id", row_as('"b\nd",s3,test,t1,here,no,CC0')),
    Kind("line break in a field", "error bad-text", "line breaks in site", row_as('bad,s3,test,t1,"h\ne",no,CC0')),
    Kind("neither healthy nor not", "error bad-row", "healthy='maybe'", row_as("bad,s3,test,t1,here,maybe,CC0")),
    Kind("sequence that the cohort has not", "warning unknown-sequence", "sequence 'pd'", row_as(
        "bad,s3,test,t1 pd,here,no,CC0")),
    Kind("no licence", "warning no-licence", "no licence for 1 of 3", row_as("bad,s3,test,t1,here,no,")),
    Kind("age in months", "warning odd-age", "age '240'", table_as(
        "\n".join(f"{line},{age}" for line, age in zip(TABLE.splitlines(), ("age", 30, 40, 240), strict=True)))),
    Kind("sex in words", "warning odd-sex", "sex 'female'", table_as(
        "\n".join(f"{line},{sex}" for line, sex in zip(TABLE.splitlines(), ("sex", "F", "M", "female"), strict=True)))),
]  # fmt: skip

KINDS = [*FILES, *HEADERS, *VOXELS, *MASKS, *COPIES, *TABLES]
