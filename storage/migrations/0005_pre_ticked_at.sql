-- The store says up to which city time it has stored, so that figures count no hour that is half there.
ALTER TABLE checkpoints ADD COLUMN ticked_at timestamptz;
