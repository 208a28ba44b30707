ALTER TABLE customers ADD COLUMN note_folded VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL;
