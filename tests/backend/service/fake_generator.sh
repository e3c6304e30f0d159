#!/bin/sh
# Stands in for Podman's generator in tests: what `-dryrun -user` prints, for the few keys that the tests use. Of two
# quadlets with one name the first counts; a line with BadKey= makes it refuse the unit. Builtins only, since tests run
# it often.
[ "$*" = "-dryrun -user" ] || exit 3
status=0
seen=" "
old_ifs=$IFS
IFS=:
for folder in $QUADLET_UNIT_DIRS; do
  IFS=$old_ifs
  for file in "$folder"/*.* "$folder"/*/*.*; do
    [ -f "$file" ] || continue
    base=${file##*/}
    stem=${base%.*}
    case $base in
      *.container) unit=$stem.service start="/usr/bin/podman run --name $stem" ;;
      *.volume) unit=$stem-volume.service start="/usr/bin/podman volume create --ignore systemd-$stem" ;;
      *.network) unit=$stem-network.service start="/usr/bin/podman network create --ignore systemd-$stem" ;;
      *) continue ;;
    esac
    case $seen in *" $base "*) continue ;; esac
    seen="$seen$base "
    refused=
    image=
    options=
    words=
    while read -r line; do
      case $line in
        BadKey=*) refused=yes ;;
        Image=*) image=${line#Image=} ;;
        PublishPort=*) options="$options --publish ${line#PublishPort=}" ;;
        Volume=*.volume:*) line=${line#Volume=} options="$options -v systemd-${line%%.volume:*}:${line#*.volume:}" ;;
        Volume=./*) options="$options -v ${file%/*}/${line#Volume=./}" ;;
        PodmanArgs=*) options="$options ${line#PodmanArgs=}" ;;
        *=*) words="$words $line" ;;
      esac
    done < "$file"
    if [ -n "$refused" ]; then
      echo "quadlet-generator[1]: converting \"$base\": unsupported key 'BadKey' in group 'Container' in $file" >&2
      status=1
      continue
    fi
    case $base in
      *.container) start="$start$options $image$words" ;;
      *) start="${start% *}$words ${start##* }" ;;
    esac
    printf '\n---%s---\n[Unit]\nSourcePath=%s\n\n[Service]\nExecStart=%s\n' "$unit" "$file" "$start"
  done
done
exit $status
