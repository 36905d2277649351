-- Devices may have a name of their own on the wire, such as a LoRaWAN DevEUI.
ALTER TABLE devices ADD COLUMN address text;
CREATE UNIQUE INDEX devices_by_address ON devices (coalesce(address, device_id)) WHERE NOT retired;
